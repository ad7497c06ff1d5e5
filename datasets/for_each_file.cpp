#include "datasets/for_each_file.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/progress.h"
#include "core/runtime.h"
#include "core/stop_signal.h"

namespace calotype {
namespace {

constexpr int kMaxThreads = 8;  // disks answer several at once
constexpr int64_t kWorthThreads = 32, kWorthProgress = 5000;  // files

}  // namespace

void for_each_file(int64_t count, const std::function<void(int64_t)>& visit) {
  std::atomic<int64_t> next = 0;
  int64_t done = 0;
  std::mutex mutex;
  std::condition_variable more;
  std::exception_ptr error;  // the first
  const auto work = [&] {
    for (int64_t i; !stop_requested() && (i = next++) < count;) {
      std::exception_ptr thrown;
      try {
        visit(i);
      } catch (...) {
        thrown = std::current_exception();
        next = count;
      }
      const std::lock_guard lock(mutex);
      if (thrown && !error) error = thrown;
      ++done;
      more.notify_one();
    }
  };
  if (count < kWorthThreads) {
    work();
    throw_if_stopped();
    if (error) std::rethrow_exception(error);
    return;
  }
  std::optional<Progress> progress;
  if (count >= kWorthProgress) progress.emplace("read", count, "files");
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < std::min(num_usable_cpus(), kMaxThreads); ++i)
      threads.emplace_back(work);
    std::unique_lock lock(mutex);
    while (done < count && !error && !stop_requested()) {
      more.wait_for(lock, std::chrono::milliseconds(100));
      if (progress) progress->update(done);
    }
  }
  throw_if_stopped();
  if (error) std::rethrow_exception(error);
  if (progress) progress->finish();
}

}  // namespace calotype
