#include "core/parallel.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <stdexcept>
#include <vector>

#include "core/random.h"
#include "tests/support/threads.h"

namespace calotype {
namespace {

using testing::ElementsAre;

/// The threads that a loop of `count` elements runs on.
std::set<std::thread::id> threads_of(int64_t count, int64_t grain) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  parallel_for(0, count, grain, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  return seen;
}

TEST(ParallelFor, RunsOnTwoThreads) {
  const ThreadsFor two(2);
  EXPECT_EQ(threads_of(100, 1).size(), 2u);
}

TEST(ParallelFor, VisitsEachElementOnce) {
  const ThreadsFor three(3);
  std::vector<int> visits(1000);
  parallel_for(0, 1000, 7, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) ++visits[size_t(i)];
  });
  EXPECT_THAT(visits, testing::Each(1));
}

TEST(ParallelFor, WakesNobodyForWhatIsSmall) {
  const ThreadsFor two(2);
  EXPECT_THAT(threads_of(100, 100), ElementsAre(std::this_thread::get_id()));
  EXPECT_EQ(grain_of(10, 1000), 100);
  EXPECT_EQ(grain_of(1000, 10), 1);
  EXPECT_EQ(grain_of(0, 10), 10);
}

TEST(ParallelFor, CarriesTheCallersModes) {
  const ThreadsFor three(3);
  const c10::InferenceMode inference;
  auto sums = at::zeros({3});
  std::vector<char> has_gradients(3, 1), infers(3, 0);
  parallel_for(0, 3, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      has_gradients[size_t(i)] = at::GradMode::is_enabled();
      infers[size_t(i)] = c10::InferenceMode::is_enabled();
      sums[i].add_(1);  // refused outside of inference
    }
  });
  EXPECT_THAT(has_gradients, testing::Each(0));
  EXPECT_THAT(infers, testing::Each(1));
  EXPECT_EQ(sums.sum().item<double>(), 3);
}

TEST(ParallelFor, PassesOnWhatIsThrown) {
  const ThreadsFor two(2);
  const auto loop = [](int64_t bad) {
    parallel_for(0, 2, 1, [&](int64_t first, int64_t last) {
      if (first <= bad && bad < last) throw std::logic_error("element");
    });
  };
  EXPECT_THROW(loop(0), std::logic_error);
  EXPECT_THROW(loop(1), std::logic_error);
}

TEST(UseOneThread, IsForTheThreadThatAsks) {
  const ThreadsFor three(3);
  size_t alone = 0, with_others = 0;
  std::thread([&] {
    use_one_thread();
    alone = threads_of(100, 1).size();
  }).join();
  std::thread([&] { with_others = threads_of(100, 1).size(); }).join();
  EXPECT_EQ(alone, 1u);
  EXPECT_EQ(with_others, 3u);
  EXPECT_EQ(at::get_num_threads(), 3);
}

TEST(RandomRows, HaveTheSameBitsOnAnyNumberOfThreads) {
  expect_same_bits([] {
    const auto samples = at::arange(40, at::kLong);
    return std::vector<at::Tensor>{
        normal_rows({3, 500}, samples, 7, Stream::kSynthetic),
        uniform_rows({3, 500}, samples, 7, Stream::kSynthetic)};
  });
}

}  // namespace
}  // namespace calotype
