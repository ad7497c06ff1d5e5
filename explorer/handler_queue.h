#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace calotype {

/// One thread for work that must not meet itself: a model and its memory.
class HandlerQueue {
 public:
  struct Work {
    std::string key;             // newer work of the same key takes its place;
                                 // empty: none does
    std::function<void()> run;   // throws nothing
    std::function<void()> drop;  // instead of run, where it is not wanted
  };

  explicit HandlerQueue(int max_waiting);
  ~HandlerQueue() { end(); }

  /// Drops what waits, ends after what runs, and takes nothing more.
  void end();

  /// False if too much waits, or after end(); then `work` was neither run nor
  /// dropped.
  bool push(Work work);

  /// Whether work of this key waits.
  bool has(const std::string& key);

 private:
  void run();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  bool ends_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace calotype
