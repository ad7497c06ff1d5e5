#include "nn/sliced.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

#include "core/error.h"
#include "core/slices.h"
#include "nn/batch_invariant.h"
#include "nn/resnet_block.h"
#include "tests/support/threads.h"

namespace calotype {
namespace {

/// A block that is told a row of numbers with each image.
struct Network : torch::nn::Module {
  explicit Network(double dropout = 0)
      : block(ResnetBlockConfig{.in_channels = 4,
                                .out_channels = 8,
                                .num_groups = 2,
                                .embedding_dim = 3,
                                .dropout = dropout}) {
    register_module("block", block);
  }
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& told) {
    return in_slices(*this, {x, {}, told},
                     [this](const std::vector<at::Tensor>& inputs) {
                       return block->forward(inputs[0], inputs[2]);
                     });
  }
  ResnetBlock block;
};

struct Gradients {
  at::Tensor answer, of_x, of_told;
  std::vector<at::Tensor> of_parameters;
};

Gradients gradients(Network& network, int64_t rows, int64_t num_slices) {
  torch::manual_seed(3);
  const auto x = torch::randn({rows, 4, 6, 5}).requires_grad_();
  const auto told = torch::randn({rows, 3}).requires_grad_();
  const SliceScope scope(num_slices);
  const auto answer = network(x, told);
  auto wanted = network.parameters();
  wanted.insert(wanted.begin(), {x, told});
  auto found = torch::autograd::grad({answer.square().sum() + x.sum()}, wanted);
  return {
      answer.detach(), found[0], found[1], {found.begin() + 2, found.end()}};
}

TEST(Sliced, HasTheGradientsOfTheWhole) {
  const ThreadsFor threads(2);
  Network network;
  const auto whole = gradients(network, 7, 1);
  for (const int64_t count : {2, 3, 7, 100}) {
    const auto cut = gradients(network, 7, count);
    const auto same = [](const at::Tensor& a, const at::Tensor& b) {
      return torch::allclose(a, b, 1e-4, 1e-5);
    };
    EXPECT_TRUE(same(cut.answer, whole.answer));
    EXPECT_TRUE(same(cut.of_x, whole.of_x));
    EXPECT_TRUE(same(cut.of_told, whole.of_told));
    for (size_t k = 0; k < whole.of_parameters.size(); ++k)
      EXPECT_TRUE(same(cut.of_parameters[k], whole.of_parameters[k])) << k;
  }
}

TEST(Sliced, HasTheSameBitsForAnyNumberOfThreads) {
  Network network(/*dropout=*/0.3);
  std::vector<Gradients> all;
  for (const int num_threads : {1, 2, 3}) {
    const ThreadsFor threads(num_threads);
    const AloneInLoops alone;
    all.push_back(gradients(network, 13, 4));
  }
  for (size_t i = 1; i < all.size(); ++i) {
    EXPECT_TRUE(torch::equal(all[i].answer, all[0].answer));
    EXPECT_TRUE(torch::equal(all[i].of_x, all[0].of_x));
    for (size_t k = 0; k < all[0].of_parameters.size(); ++k)
      EXPECT_TRUE(
          torch::equal(all[i].of_parameters[k], all[0].of_parameters[k]));
  }
}

TEST(Sliced, WithoutGradientsIsTheWholeBitByBit) {
  const torch::NoGradGuard no_grad;
  Network network;
  network.eval();
  torch::manual_seed(3);
  const auto x = torch::randn({7, 4, 6, 5}), told = torch::randn({7, 3});
  const auto whole = [&] {
    const SliceScope scope(1);
    return network(x, told);
  }();
  for (const int num_threads : {1, 2, 3}) {
    const ThreadsFor threads(num_threads);
    EXPECT_TRUE(torch::equal(network(x, told), whole)) << num_threads;
  }
}

TEST(Sliced, HasGradientsOfGradients) {
  Network network;
  torch::manual_seed(3);
  const auto x = torch::randn({4, 4, 3, 3}).requires_grad_();
  const auto told = torch::randn({4, 3});
  const auto penalty = [&](int64_t num_slices) {
    const SliceScope scope(num_slices);
    const auto slope =
        torch::autograd::grad({network(x, told).square().sum()}, {x}, {}, true,
                              /*create_graph=*/true)[0];
    return torch::autograd::grad({slope.square().sum()},
                                 {network.block->parameters()[0]})[0];
  };
  EXPECT_TRUE(torch::allclose(penalty(2), penalty(1), 1e-4, 1e-4));
}

TEST(Sliced, DropsOtherNumbersInEachSliceAndStep) {
  torch::manual_seed(1);
  const auto x = torch::ones({4, 1000}).requires_grad_();
  const SliceScope scope(4);
  const auto drawn = [&] {
    return in_slices(std::vector<at::Tensor>(), {x},
                     [](const std::vector<at::Tensor>& inputs) {
                       return drop_out(inputs[0], 0.25, true);
                     })
        .detach();
  };
  const auto first = drawn(), second = drawn();
  EXPECT_NEAR(first.mean().item<double>(), 1, 0.05);
  EXPECT_NEAR(first.eq(0).to(at::kFloat).mean().item<double>(), 0.25, 0.03);
  EXPECT_NEAR(first.max().item<double>(), 1 / 0.75, 1e-6);
  EXPECT_FALSE(torch::equal(first[0], first[1]));
  EXPECT_FALSE(torch::equal(first, second));
}

TEST(Sliced, RefusesASecondWayBack) {
  Network network;
  const auto x = torch::randn({4, 4, 3, 3}).requires_grad_();
  const SliceScope scope(2);
  const auto answer = network(x, torch::randn({4, 3})).sum();
  torch::autograd::grad({answer}, {x}, {}, /*retain_graph=*/true);
  EXPECT_THROW(torch::autograd::grad({answer}, {x}), ShapeError);
}

}  // namespace
}  // namespace calotype
