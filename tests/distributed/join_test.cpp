#include "distributed/join.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "core/error.h"
#include "nn/loose_sums.h"
#include "nn/resnet_block.h"
#include "nn/sliced.h"
#include "tests/support/free_port.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

/// `work` in groups of `size` threads, each a process; what they throw is
/// given back by rank.
std::vector<std::exception_ptr> in_group(
    int64_t size, const std::function<void(JoinedGroup&)>& work,
    double timeout_s = 30) {
  const auto port = free_port();
  std::vector<std::exception_ptr> thrown(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        const auto group = join_group({.rank = rank,
                                       .size = size,
                                       .local_rank = rank,
                                       .local_size = size,
                                       .address = "127.0.0.1",
                                       .port = port},
                                      timeout_s);
        const ProcessGroupScope scope(group.get());
        work(*group);
      } catch (...) {
        thrown[size_t(rank)] = std::current_exception();
      }
    });
  for (auto& thread : threads) thread.join();
  return thrown;
}

void expect_no_failure(const std::vector<std::exception_ptr>& thrown) {
  for (const auto& failure : thrown)
    if (failure) std::rethrow_exception(failure);
}

TEST(JoinGroup, GathersRowsInTheOrderOfRanks) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  expect_no_failure(in_group(3, [](JoinedGroup& group) {
    const std::vector<int64_t> counts = {2, 1, 1};
    const auto mine =
        torch::full({counts[size_t(group.rank())], 2}, double(group.rank()));
    const auto all = group.gather_rows(mine, counts);
    EXPECT_TRUE(torch::equal(
        all, torch::tensor({{0., 0.}, {0., 0.}, {1., 1.}, {2., 2.}},
                           torch::kFloat)));
    EXPECT_EQ(group.any_bits(uint64_t{1} << group.rank()), 7u);
    EXPECT_THAT(group.all_of(uint64_t(group.rank()) + 10),
                testing::ElementsAre(10, 11, 12));
  }));
}

TEST(JoinGroup, AddsUpInTheOrderOfRowsWhoeverHasThem) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  torch::manual_seed(1);
  // Large and small numbers, whose sum depends on the order.
  const auto rows =
      torch::randn({5, 1001}) * torch::pow(10., torch::randn({5, 1001}) * 3);
  auto want = rows[0].clone();
  for (int64_t i = 1; i < 5; ++i) want.add_(rows[i]);
  EXPECT_FALSE(torch::equal(rows.flip({0}).sum(0), want));
  for (const std::vector<int64_t>& counts :
       std::vector<std::vector<int64_t>>{{3, 2}, {2, 2, 1}, {1, 1, 1, 1, 1}}) {
    expect_no_failure(in_group(int64_t(counts.size()), [&](JoinedGroup& group) {
      int64_t begin = 0;
      for (int64_t i = 0; i < group.rank(); ++i) begin += counts[size_t(i)];
      const auto mine = rows.narrow(0, begin, counts[size_t(group.rank())]);
      EXPECT_TRUE(torch::equal(group.sum_in_order(mine, counts), want));
    }));
  }
}

struct Answer {
  at::Tensor answer, of_x;
  std::vector<at::Tensor> of_parameters;
};

Answer answer_of(ResnetBlock& block, const at::Tensor& images, bool in_order) {
  const auto x = images.clone().requires_grad_();
  const SliceScope slices(4);
  std::optional<SumsInAnyOrder> loose;
  if (!in_order) loose.emplace();
  const auto answer =
      in_slices(*block, {x}, [&](const std::vector<at::Tensor>& inputs) {
        return block->forward(inputs[0]);
      });
  const auto parameters = block->parameters();
  std::vector<at::Tensor> wanted = parameters;
  wanted.insert(wanted.begin(), x);
  const auto found = torch::autograd::grad({answer.square().sum()}, wanted, {},
                                           {}, false, /*allow_unused=*/true);
  Answer result{answer.detach(), found[0], {found.begin() + 1, found.end()}};
  if (loose) {
    EXPECT_FALSE(result.of_parameters[0].defined());
    loose->finish();
    for (size_t k = 0; k < parameters.size(); ++k)
      result.of_parameters[k] = parameters[k].grad().clone();
  }
  return result;
}

at::Tensor quiet_answer_of(ResnetBlock& block, const at::Tensor& images) {
  const torch::NoGradGuard no_grad;
  return in_slices(*block, {images},
                   [&](const std::vector<at::Tensor>& inputs) {
                     return block->forward(inputs[0]);
                   });
}

ResnetBlock small_block() {
  torch::manual_seed(2);
  return ResnetBlock(
      ResnetBlockConfig{.in_channels = 4, .out_channels = 8, .num_groups = 2});
}

TEST(InProcesses, NetworksAndTheirGradientsHaveTheBitsOfOne) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  torch::manual_seed(3);
  const auto images = torch::randn({13, 4, 6, 5});
  auto alone = small_block();
  const auto want = answer_of(alone, images, true);
  const auto quiet = quiet_answer_of(alone, images);
  for (const int64_t size : {2, 3, 4, 5}) {  // five: more than slices
    SCOPED_TRACE(size);
    std::vector<ResnetBlock> blocks;
    for (int64_t i = 0; i < size; ++i) blocks.push_back(small_block());
    expect_no_failure(in_group(size, [&](JoinedGroup& group) {
      auto& block = blocks[size_t(group.rank())];
      const auto got = answer_of(block, images, true);
      EXPECT_TRUE(torch::equal(got.answer, want.answer));
      EXPECT_TRUE(torch::equal(got.of_x, want.of_x));
      for (size_t k = 0; k < want.of_parameters.size(); ++k)
        EXPECT_TRUE(torch::equal(got.of_parameters[k], want.of_parameters[k]))
            << k;
      EXPECT_TRUE(torch::equal(quiet_answer_of(block, images), quiet));
    }));
  }
}

TEST(InProcesses, SumsInAnyOrderAreThoseSums) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  torch::manual_seed(3);
  const auto images = torch::randn({8, 4, 6, 5});
  auto alone = small_block();
  const auto want = answer_of(alone, images, true);
  std::vector<ResnetBlock> blocks = {small_block(), small_block()};
  expect_no_failure(in_group(2, [&](JoinedGroup& group) {
    const auto got = answer_of(blocks[size_t(group.rank())], images, false);
    EXPECT_TRUE(torch::equal(got.answer, want.answer));
    for (size_t k = 0; k < want.of_parameters.size(); ++k)
      EXPECT_TRUE(torch::allclose(got.of_parameters[k], want.of_parameters[k],
                                  1e-4, 1e-5));
  }));
}

TEST(JoinGroup, NamesWhoDoesNotCome) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  const Launch launch{.rank = 0,
                      .size = 3,
                      .local_size = 3,
                      .address = "127.0.0.1",
                      .port = free_port()};
  EXPECT_THAT(
      [&] { join_group(launch, 1); },
      ThrowsMessage<ProcessError>(HasSubstr(
          "processes 1 and 2 of 3 did not come within 1 s (--timeout)")));
}

TEST(JoinGroup, SaysWhyAnotherOneEnded) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  const auto thrown = in_group(
      3,
      [](JoinedGroup& group) {
        if (group.rank() == 2) {
          group.leave("photos/7.png: is damaged");
          return;
        }
        group.all_of(1);
      },
      2);
  EXPECT_FALSE(thrown[2]);
  for (const size_t rank : {0, 1})
    EXPECT_THAT([&] { std::rethrow_exception(thrown[rank]); },
                ThrowsMessage<ProcessError>(testing::AllOf(
                    HasSubstr("process 2 of 3 ("),
                    HasSubstr(") ended: photos/7.png: is damaged"))));
}

TEST(JoinGroup, NamesWhoDoesNotComeToAnExchange) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  const auto thrown = in_group(
      2,
      [](JoinedGroup& group) {
        if (group.rank() == 1)
          std::this_thread::sleep_for(std::chrono::seconds(5));
        group.all_of(1);
      },
      1);
  EXPECT_THAT([&] { std::rethrow_exception(thrown[0]); },
              ThrowsMessage<ProcessError>(testing::AllOf(
                  HasSubstr("process 1 of 2 ("),
                  HasSubstr("lives, but did not come to an exchange"))));
}

TEST(JoinGroup, RefusesAPortThatIsTaken) {
  if (!can_join()) GTEST_SKIP() << "built without Gloo";
  const PortInUse taken;
  const Launch launch{.rank = 0,
                      .size = 2,
                      .local_size = 2,
                      .address = "127.0.0.1",
                      .port = taken.port()};
  EXPECT_THAT([&] { join_group(launch, 1); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("another program of this machine has that port")));
}

}  // namespace
}  // namespace calotype
