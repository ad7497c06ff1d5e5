#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace calotype {

/// Connects to the store where processes meet, once more: what waits in one
/// connection does not hold up another.
using ConnectStore = std::function<c10::intrusive_ptr<c10d::Store>()>;

/// Tells the other processes that this one lives, and, where an exchange
/// failed, which of them is at fault: an engine knows no more than that a
/// connection broke, or that nobody came.
class Watch {
 public:
  /// Says that this process is there and waits `timeout_s` for all others.
  /// Throws ProcessError that names those who did not come.
  Watch(ConnectStore connect, int64_t rank, int64_t size, double timeout_s);
  ~Watch();

  /// This process comes to its next exchange.
  void count_exchange();

  /// Lets the others know why this process ends.
  void leave(const std::string& why);

  /// One line that names who left, does not live, or did not come.
  std::string who_failed() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // its thread may outlive this
};

}  // namespace calotype
