#pragma once

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "core/parallel.h"

namespace calotype {

/// Sets LibTorch's threads for as long as it lives.
class ThreadsFor {
 public:
  explicit ThreadsFor(int num_threads) : before_(at::get_num_threads()) {
    at::set_num_threads(num_threads);
  }
  ~ThreadsFor() { at::set_num_threads(before_); }
  ThreadsFor(const ThreadsFor&) = delete;
  ThreadsFor& operator=(const ThreadsFor&) = delete;

 private:
  int before_;
};

/// What `compute` gives must be the same bits on 1, 2 and 3 threads, and when a
/// thread like those of the loader calls it.
inline void expect_same_bits(
    const std::function<std::vector<at::Tensor>()>& compute) {
  std::vector<at::Tensor> want;
  {
    const ThreadsFor one(1);
    want = compute();
  }
  const auto expect_equal = [&](const std::vector<at::Tensor>& got) {
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_TRUE(at::equal(got[i], want[i])) << "tensor " << i;
  };
  for (const int num_threads : {2, 3}) {
    SCOPED_TRACE(num_threads);
    const ThreadsFor some(num_threads);
    expect_equal(compute());
  }
  const ThreadsFor some(3);
  std::vector<at::Tensor> got;
  std::thread([&] {
    use_one_thread();
    got = compute();
  }).join();
  SCOPED_TRACE("a loader's thread");
  expect_equal(got);
}

}  // namespace calotype
