#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace calotype {

/// Does work one after the other on a thread of its own, in the order in which
/// it was given: files are written while networks compute. What is given after
/// work threw is not done.
class Background {
 public:
  /// `max_bytes`: of all work that waits; add() waits where there is more.
  explicit Background(int64_t max_bytes);
  /// What waits is done, and exceptions are lost: ask wait() for them.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// `bytes`: that `work` holds. Throws what earlier work threw.
  void add(int64_t bytes, std::function<void()> work);

  /// Until all is done. Throws what work threw, once.
  void wait();

 private:
  struct Work {
    int64_t bytes = 0;
    std::function<void()> run;
  };
  void serve();
  void throw_failure();  // with the mutex held

  const int64_t max_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  int64_t num_bytes_ = 0;  // of work that is not done
  bool is_busy_ = false, ends_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace calotype
