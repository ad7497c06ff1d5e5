#include "core/background.h"

#include <utility>

#include "core/parallel.h"

namespace calotype {

Background::Background(int64_t max_bytes)
    : max_bytes_(max_bytes), thread_([this] { serve(); }) {}

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Background::add(int64_t bytes, std::function<void()> work) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return failure_ || num_bytes_ == 0 || num_bytes_ + bytes <= max_bytes_;
  });
  throw_failure();
  num_bytes_ += bytes;
  waiting_.push_back({.bytes = bytes, .run = std::move(work)});
  changed_.notify_all();
}

void Background::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_.empty() && !is_busy_; });
  throw_failure();
}

void Background::throw_failure() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Background::serve() {
  use_one_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    is_busy_ = true;
    const bool is_wanted = !failure_;
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (is_wanted) work.run();
    } catch (...) {
      failure = std::current_exception();
    }
    work.run = nullptr;  // what it holds goes before its bytes do
    lock.lock();
    if (failure) failure_ = failure;
    num_bytes_ -= work.bytes;
    is_busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace calotype
