#include "core/slices.h"

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <limits>
#include <thread>
#include <utility>

#include "core/parallel.h"

namespace calotype {
namespace {

// 0: as many as LibTorch's loops have.
thread_local int slice_threads = 0;

/// Threads that stay: one that is new makes LibTorch set up its loops for it,
/// which costs as much as many slices.
class Helpers {
 public:
  /// Of the process. They end with it, whatever they do.
  static Helpers& get() {
    static auto* const helpers = new Helpers;
    return *helpers;
  }

  /// Lets `count` of them call `work`, soon.
  void call(int64_t count, const std::function<void()>& work) {
    const std::lock_guard lock(mutex_);
    // First, for that may fail, and `work` may not wait then.
    for (; num_threads_ < count; ++num_threads_)
      std::thread([this] { serve(); }).detach();
    for (int64_t i = 0; i < count; ++i) waiting_.push_back(work);
    for (int64_t i = 0; i < count; ++i) called_.notify_one();
  }

 private:
  [[noreturn]] void serve() {
    use_one_thread();
    slice_threads = 1;
    for (;;) {
      std::unique_lock lock(mutex_);
      called_.wait(lock, [&] { return !waiting_.empty(); });
      const auto work = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable called_;
  std::deque<std::function<void()>> waiting_;
  int64_t num_threads_ = 0;
};

}  // namespace

Slice slice_of(int64_t rows, int64_t count, int64_t index) {
  const auto size = rows / count, larger = rows % count;
  const auto begin = index * size + std::min(index, larger);
  return {begin, begin + size + (index < larger ? 1 : 0)};
}

AloneInLoops::AloneInLoops()
    : loops_before_(at::get_num_threads()), slices_before_(slice_threads) {
  slice_threads = num_slice_threads();
  use_one_thread();
}

AloneInLoops::~AloneInLoops() {
  omp_set_num_threads(loops_before_);
  slice_threads = slices_before_;
}

int num_slice_threads() {
  if (at::in_parallel_region()) return 1;
  return slice_threads > 0 ? slice_threads : at::get_num_threads();
}

void for_each_slice(int64_t count, const std::function<void(int64_t)>& body) {
  const auto num_threads = std::min<int64_t>(count, num_slice_threads());
  if (num_threads <= 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  std::atomic<int64_t> next = 0;
  std::mutex mutex;
  std::condition_variable left;
  int64_t failed = std::numeric_limits<int64_t>::max();
  std::exception_ptr failure;
  auto num_helping = num_threads - 1;
  const auto work = [&] {
    for (int64_t i; (i = next++) < count;) {
      try {
        body(i);
      } catch (...) {
        next = count;
        const std::lock_guard lock(mutex);
        if (i < failed) {
          failed = i;
          failure = std::current_exception();
        }
      }
    }
  };
  const at::ThreadLocalState modes;
  Helpers::get().call(num_helping, [&] {
    {
      const at::ThreadLocalStateGuard guard(modes);
      work();
    }
    const std::lock_guard lock(mutex);
    if (--num_helping == 0) left.notify_one();
  });
  {
    const AloneInLoops alone;
    slice_threads = 1;  // until `alone` ends
    work();
  }
  std::unique_lock lock(mutex);
  left.wait(lock, [&] { return num_helping == 0; });
  if (failure) std::rethrow_exception(failure);
}

void InOrder::run(int64_t index, const std::function<void()>& action) {
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return next_ == index || is_broken_; });
  if (is_broken_) throw OrderBroken();
  action();
  ++next_;
  turn_.notify_all();
}

void InOrder::give_up() {
  const std::lock_guard lock(mutex_);
  is_broken_ = true;
  turn_.notify_all();
}

}  // namespace calotype
