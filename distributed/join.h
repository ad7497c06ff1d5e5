#pragma once

#include <memory>
#include <string>

#include "core/process_group.h"
#include "distributed/launch.h"

namespace calotype {

/// A ProcessGroup that can say why this process leaves it.
class JoinedGroup : public ProcessGroup {
 public:
  /// Lets the others know that this process ends, and why, so that they need
  /// not wait for it: one line.
  virtual void leave(const std::string& why) = 0;
};

/// Whether this build can.
bool can_join();

/// Meets the other processes of `launch`, through LibTorch's c10d and its
/// engine for CPUs, Gloo. Process 0 keeps the store at launch.address and
/// launch.port, unless torchrun's agent does. `timeout_s`: how long any of them
/// may be waited for, here and in each exchange. Throws ConfigError where there
/// is no way to meet, ProcessError where somebody does not come.
std::unique_ptr<JoinedGroup> join_group(const Launch& launch, double timeout_s);

}  // namespace calotype
