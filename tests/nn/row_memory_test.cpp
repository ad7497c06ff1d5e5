#include "nn/row_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "core/memory.h"
#include "nn/batch_invariant.h"
#include "nn/sliced.h"
#include "tests/support/threads.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr int64_t kMiB = 1 << 20;

/// Of what is free from now on.
class MemoryFor {
 public:
  explicit MemoryFor(int64_t bytes) {
    set_memory_limit(memory_in_use() + bytes);
  }
  ~MemoryFor() { set_memory_limit(0); }
  MemoryFor(const MemoryFor&) = delete;
  MemoryFor& operator=(const MemoryFor&) = delete;
};

TEST(TensorMemory, CountsWhatIsHeldAtOnce) {
  const auto before = torch::ones({int64_t{1} << 18});
  TensorMemory memory;
  EXPECT_EQ(memory.peak_bytes(), 0);
  auto kept = torch::ones({int64_t{1} << 18});  // 1 MiB
  { const auto passing = torch::ones({int64_t{3} << 18}); }
  EXPECT_EQ(memory.held_bytes(), kMiB);
  EXPECT_EQ(memory.peak_bytes(), 4 * kMiB);
  kept = at::Tensor();
  EXPECT_EQ(memory.held_bytes(), 0);
  EXPECT_EQ(memory.peak_bytes(), 4 * kMiB);
}

/// A convolution that makes 2 MiB of each row's 64 KiB, which a graph keeps for
/// relu's way back in any version of LibTorch, and tells how many rows were in
/// flight.
struct Wide : torch::nn::Module {
  Wide() {
    torch::manual_seed(2);
    register_module("conv", conv);
  }

  at::Tensor operator()(const at::Tensor& x) {
    return in_slices(*this, {x}, [this](const std::vector<at::Tensor>& inputs) {
      const auto rows = inputs[0].size(0);
      {
        const std::lock_guard lock(mutex);
        calls.push_back(rows);
        most = std::max(most, now += rows);
      }
      const auto y = conv->forward(inputs[0]).relu_().mean(1);
      const std::lock_guard lock(mutex);
      now -= rows;
      return y;
    });
  }

  Conv2d conv{torch::nn::Conv2dOptions(1, 32, 3).padding(1)};
  std::mutex mutex;
  std::vector<int64_t> calls;
  int64_t now = 0, most = 0;
};

class RowsInFlight : public testing::Test {
 protected:
  const c10::InferenceMode inference_;
  const ThreadsFor threads_{2};
  Wide network_;
  const at::Tensor x_ = torch::randn({24, 1, 128, 128});
};

TEST_F(RowsInFlight, AreThoseThatFit) {
  const auto all_at_once = network_(x_);
  EXPECT_EQ(network_.calls, (std::vector<int64_t>{12, 12}));
  network_.calls.clear();
  network_.most = 0;
  // Besides the answer of 1.5 MiB each row takes 2 MiB and somewhat more.
  const MemoryFor memory(60 * kMiB);
  const auto in_parts = network_(x_);
  EXPECT_GE(network_.most, 4);
  EXPECT_LE(network_.most, 20);
  EXPECT_TRUE(torch::equal(in_parts, all_at_once));
  EXPECT_EQ(network_.calls.front(), 1);  // the row that was tried

  network_.calls.clear();
  EXPECT_TRUE(torch::equal(network_(x_), all_at_once));
  EXPECT_GT(network_.calls.front(), 1);  // and is not tried again
}

TEST_F(RowsInFlight, AreOneWhereNotEvenThatFits) {
  const auto all_at_once = network_(x_);
  network_.calls.clear();
  network_.most = 0;
  const MemoryFor memory(kMiB);
  EXPECT_TRUE(torch::equal(network_(x_), all_at_once));
  EXPECT_EQ(network_.most, 1);
  EXPECT_EQ(network_.calls, std::vector<int64_t>(24, 1));
}

TEST_F(RowsInFlight, AreAsBeforeWhereThereIsRoom) {
  const MemoryFor memory(int64_t{4} << 30);
  network_(x_);
  network_.calls.clear();
  network_(x_);
  EXPECT_EQ(network_.calls, (std::vector<int64_t>{12, 12}));
}

TEST(Gradients, AreRefusedForABatchThatDoesNotFit) {
  const ThreadsFor threads(2);
  Wide network;
  const auto x = torch::randn({24, 1, 128, 128});
  const auto tight = x.narrow(2, 0, 64);
  {
    const MemoryFor memory(kMiB / 2);
    EXPECT_THAT([&] { network(tight); },
                ThrowsMessage<ConfigError>(HasSubstr("not one row fits")));
  }
  network.calls.clear();
  const MemoryFor memory(30 * kMiB);
  EXPECT_THAT([&] { network(x); },
              ThrowsMessage<ConfigError>(testing::AllOf(
                  HasSubstr("a batch of 24 needs about "),
                  HasSubstr(" of memory for its gradients, and "),
                  HasSubstr(" (--memory): training.batch_size="),
                  HasSubstr(" would fit, training.accumulate="))));
  EXPECT_EQ(network.calls, std::vector<int64_t>{1});
  EXPECT_NO_THROW(network(x));  // known by now, and not asked about again
}

}  // namespace
}  // namespace calotype
