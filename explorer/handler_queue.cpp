#include "explorer/handler_queue.h"

#include <algorithm>
#include <utility>

namespace calotype {

HandlerQueue::HandlerQueue(int max_waiting)
    : max_waiting_(static_cast<size_t>(max_waiting)),
      thread_([this] { run(); }) {}

void HandlerQueue::end() {
  std::deque<Work> left;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    left.swap(waiting_);
  }
  changed_.notify_all();
  for (auto& work : left) work.drop();
  if (thread_.joinable()) thread_.join();
}

bool HandlerQueue::push(Work work) {
  std::function<void()> drop;
  {
    const std::lock_guard lock(mutex_);
    if (ends_) return false;
    const auto same = work.key.empty()
                          ? waiting_.end()
                          : std::ranges::find(waiting_, work.key, &Work::key);
    if (same != waiting_.end()) {
      drop = std::move(same->drop);
      *same = std::move(work);
    } else {
      if (waiting_.size() >= max_waiting_) return false;
      waiting_.push_back(std::move(work));
    }
  }
  changed_.notify_all();
  if (drop) drop();
  return true;
}

bool HandlerQueue::has(const std::string& key) {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(waiting_, key, &Work::key) != waiting_.end();
}

void HandlerQueue::run() {
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
      if (ends_) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work.run();
  }
}

}  // namespace calotype
