#include "diffusion/guidance.h"

#include <gtest/gtest.h>
#include <torch/types.h>

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
                     torch::tensor({1, -1}, torch::kLong), {.scale = scale}, 1);
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
      guided_forward(unconditional, sample, torch::zeros({2}), labels, {}, 1),
      sample));
  EXPECT_THROW(guided_forward(unconditional, sample, torch::zeros({2}), labels,
                              {.scale = 2}, 1),
               ConfigError);
}

TEST(Guidance, KeepsToItsInterval) {
  auto denoiser = ten_plus_label();
  const auto at_sigma = [&](double sigma) {
    const Guidance guidance{.scale = 4, .sigma_low = 0.5, .sigma_high = 2};
    return guided_forward(denoiser, torch::zeros({1, 1, 1, 1}),
                          torch::zeros({1}), torch::tensor({1}, torch::kLong),
                          guidance, sigma)
        .item<float>();
  };
  EXPECT_EQ(at_sigma(0.4), 11);
  EXPECT_EQ(at_sigma(0.5), 5);
  EXPECT_EQ(at_sigma(2), 5);
  EXPECT_EQ(at_sigma(2.1), 11);
}

TEST(Guidance, RescalesToTheDeviationOfTheStrongAnswer) {
  // Strong (1, -1), weak 0: scale 3 gives (3, -3), three times the deviation.
  FormulaDenoiser denoiser(1, [](const at::Tensor& sample, const at::Tensor&,
                                 const at::Tensor& labels) {
    const auto shown = labels.eq(0).to(torch::kFloat).view({-1, 1, 1, 1});
    return shown * torch::tensor({1.f, -1.f}).view({1, 1, 1, 2}) + 0 * sample;
  });
  const auto guided = [&](double rescale) {
    return guided_forward(denoiser, torch::zeros({1, 1, 1, 2}),
                          torch::zeros({1}), torch::tensor({0}, torch::kLong),
                          {.scale = 3, .rescale = rescale}, 1)[0][0][0][0]
        .item<float>();
  };
  EXPECT_FLOAT_EQ(guided(0), 3);
  EXPECT_FLOAT_EQ(guided(1), 1);
  EXPECT_FLOAT_EQ(guided(0.5), 2);
}

TEST(Guidance, ByAWeakerNetworkShowsBothTheSameLabel) {
  auto denoiser = ten_plus_label();
  const auto weak = std::make_shared<FormulaDenoiser>(
      3, [](const at::Tensor& sample, const at::Tensor&,
            const at::Tensor& labels) {
        EXPECT_EQ(labels[0].item<int64_t>(), 2);
        return 9 + torch::zeros_like(sample);
      });
  // 9 + 2 (12 - 9).
  EXPECT_EQ(guided_forward(denoiser, torch::zeros({1, 1, 1, 1}),
                           torch::zeros({1}), torch::tensor({2}, torch::kLong),
                           {.scale = 2, .weak = weak}, 1)
                .item<float>(),
            15);
}

TEST(Guidance, LeavesVariancesAlone) {
  FormulaDenoiser denoiser(1, [](const at::Tensor& sample, const at::Tensor&,
                                 const at::Tensor& labels) {
    const auto shown = labels.eq(0).to(torch::kFloat).view({-1, 1, 1, 1});
    return torch::cat({shown + sample, shown + sample}, 1);
  });
  const auto guided =
      guided_forward(denoiser, torch::zeros({1, 1, 1, 1}), torch::zeros({1}),
                     torch::tensor({0}, torch::kLong), {.scale = 5}, 1);
  EXPECT_EQ(guided.flatten()[0].item<float>(), 5);
  EXPECT_EQ(guided.flatten()[1].item<float>(), 1);
}

TEST(Guidance, RefusesAnEmptyInterval) {
  try {
    Guidance{.sigma_low = 2, .sigma_high = 1}.validate();
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(),
                 "guidance: the interval must be LOW:HIGH with 0 <= LOW < "
                 "HIGH, got 2:1");
  }
}

}  // namespace
}  // namespace calotype
