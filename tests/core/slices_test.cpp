#include "core/slices.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/threads.h"

namespace calotype {
namespace {

TEST(Slices, CoverEachRowOnce) {
  for (const int64_t rows : {1, 2, 7, 8, 64, 65})
    for (const int64_t count : {1, 2, 3, 8}) {
      int64_t next = 0;
      for (int64_t i = 0; i < count; ++i) {
        const auto slice = slice_of(rows, count, i);
        EXPECT_EQ(slice.begin, next);
        EXPECT_LE(std::abs(slice.size() - rows / count), 1);
        next = slice.end;
      }
      EXPECT_EQ(next, rows);
    }
}

TEST(Slices, RunSideBySideOnOneThreadEach) {
  const ThreadsFor threads(3);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  std::array<std::atomic<int>, 9> runs{};
  for_each_slice(9, [&](int64_t i) {
    ++runs[size_t(i)];
    EXPECT_EQ(at::get_num_threads(), 1);
    EXPECT_EQ(num_slice_threads(), 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  for (const auto& run : runs) EXPECT_EQ(run, 1);
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(at::get_num_threads(), 3);
  EXPECT_EQ(num_slice_threads(), 3);
}

TEST(Slices, OneAloneHasAllThreads) {
  const ThreadsFor threads(3);
  for_each_slice(1, [](int64_t) { EXPECT_EQ(at::get_num_threads(), 3); });
}

TEST(Slices, InsideOfOthersRunOneByOne) {
  const ThreadsFor threads(2);
  for_each_slice(2, [](int64_t) {
    const auto here = std::this_thread::get_id();
    for_each_slice(
        4, [&](int64_t) { EXPECT_EQ(std::this_thread::get_id(), here); });
  });
}

TEST(Slices, KeepTheirThreadsWhereLoopsHaveOne) {
  const ThreadsFor threads(2);
  {
    const AloneInLoops alone;
    EXPECT_EQ(at::get_num_threads(), 1);
    EXPECT_EQ(num_slice_threads(), 2);
    const AloneInLoops again;
    EXPECT_EQ(num_slice_threads(), 2);
  }
  EXPECT_EQ(at::get_num_threads(), 2);
  EXPECT_EQ(num_slice_threads(), 2);
}

TEST(Slices, HaveTheModesOfTheCaller) {
  const ThreadsFor threads(2);
  const c10::InferenceMode inference;
  for_each_slice(4, [](int64_t) {
    EXPECT_TRUE(c10::InferenceMode::is_enabled());
    EXPECT_FALSE(at::GradMode::is_enabled());
  });
}

TEST(Slices, PassOnTheFirstFailure) {
  const ThreadsFor threads(2);
  for (int repeat = 0; repeat < 20; ++repeat) {
    InOrder order;
    std::atomic<int> begun = 0;
    try {
      for_each_slice(100, [&](int64_t i) {
        ++begun;
        try {
          if (i == 3) throw std::runtime_error("the third");
          order.run(i, [] {});
        } catch (...) {
          order.give_up();
          throw;
        }
      });
      FAIL() << "nothing was thrown";
    } catch (const std::exception& error) {
      EXPECT_STREQ(error.what(), "the third");
    }
    EXPECT_LT(begun, 10);
  }
}

TEST(InOrder, ActsInOrder) {
  const ThreadsFor threads(3);
  InOrder order;
  std::vector<int64_t> done;
  for_each_slice(12, [&](int64_t i) {
    std::this_thread::sleep_for(std::chrono::milliseconds((12 - i) % 5));
    order.run(i, [&] { done.push_back(i); });
  });
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(done[size_t(i)], i);
}

}  // namespace
}  // namespace calotype
