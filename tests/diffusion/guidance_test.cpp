#include "diffusion/guidance.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "tests/diffusion/toy_denoiser.h"

namespace calotype {
namespace {

// Answers 10 for class 0, 11 for class 1, ..., and 13 for no class.
FormulaDenoiser ten_plus_label() {
  return {3, [](const at::Tensor& sample, const at::Tensor&,
                const at::Tensor& labels) {
            return 10 + torch::zeros_like(sample) + labels.view({-1, 1, 1, 1});
          }};
}

std::vector<float> answers(FormulaDenoiser& denoiser, double scale) {
  const auto out =
      guided_forward(denoiser, torch::zeros({2, 1, 1, 1}), torch::zeros({2}),
                     torch::tensor({1, -1}, torch::kLong), scale);
  return {out[0].item<float>(), out[1].item<float>()};
}

TEST(Guidance, MovesAwayFromTheAnswerWithoutLabel) {
  auto denoiser = ten_plus_label();
  // Row 0: 13 + 4 (11 - 13); row 1 has no label, so both answers are 13.
  EXPECT_EQ(answers(denoiser, 4), (std::vector<float>{5, 13}));
  ASSERT_EQ(denoiser.seen.size(), 1u);  // both halves in one pass
  EXPECT_EQ(denoiser.seen[0].size(0), 4);
}

TEST(Guidance, OneAndZeroAskOnlyOnce) {
  auto denoiser = ten_plus_label();
  EXPECT_EQ(answers(denoiser, 1), (std::vector<float>{11, 13}));
  EXPECT_EQ(answers(denoiser, 0), (std::vector<float>{13, 13}));
  ASSERT_EQ(denoiser.seen.size(), 2u);
  EXPECT_EQ(denoiser.seen[0].size(0), 2);
  EXPECT_EQ(denoiser.seen[1].size(0), 2);
}

TEST(Guidance, RefusesClassesThatTheNetworkDoesNotKnow) {
  try {
    with_null_class(torch::tensor({0, 12}, torch::kLong), 10);
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "class labels: must be in [0, 10) for a network of 10 "
                 "classes, or -1 for "
                 "none, got 12");
  }
}

TEST(Guidance, NeedsANetworkWithClasses) {
  FormulaDenoiser unconditional(0,
                                [](const at::Tensor& sample, const at::Tensor&,
                                   const at::Tensor& labels) {
                                  EXPECT_FALSE(labels.defined());
                                  return sample;
                                });
  const auto labels = torch::tensor({-1, -1}, torch::kLong);
  const auto sample = torch::ones({2, 1, 1, 1});
  EXPECT_TRUE(torch::equal(
      guided_forward(unconditional, sample, torch::zeros({2}), labels, 1),
      sample));
  EXPECT_THROW(
      guided_forward(unconditional, sample, torch::zeros({2}), labels, 2),
      ConfigError);
}

}  // namespace
}  // namespace calotype
