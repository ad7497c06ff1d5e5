#include "nn/latent_preview.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/error.h"

namespace calotype {
namespace {

at::Tensor drawn(at::IntArrayRef shape) {
  torch::manual_seed(5);
  return torch::randn(shape);
}

TEST(LatentPreview, IsTheMatrixTimesTheLatentPlusTheBiasClamped) {
  const auto latents = torch::tensor({{{{1.f}}, {{2.f}}}});  // [1,2,1,1]
  const auto seen =
      latent_preview(latents, {{0.5, -0.25}, {1, 1}}, {0.125, 0}).flatten();
  EXPECT_TRUE(torch::equal(seen, torch::tensor({0.125f, 1.f})));  // 3 is white
}

TEST(LatentPreview, RefusesAMapOfOtherLatents) {
  const auto latents = torch::zeros({1, 3, 2, 2});
  EXPECT_THROW(latent_preview(latents, {{1, 1}}, {0}), ShapeError);
  EXPECT_THROW(latent_preview(latents, {{1, 1, 1}}, {0, 0}), ShapeError);
  EXPECT_THROW(latent_preview(latents, {}, {}), ShapeError);
}

TEST(PreviewFit, FindsALineByHand) {
  // Points (0,0), (1,1), (2,1): slope 1/2, intercept 1/6, and of the variance
  // 2/3 all but 1/6 is explained.
  PreviewFit fit;
  for (const auto& [z, x] : {std::pair{0.f, 0.f}, {1.f, 1.f}, {2.f, 1.f}})
    fit.add(torch::full({1, 1, 1, 1}, z), torch::full({1, 1, 1, 1}, x));
  const auto map = fit.fit();
  EXPECT_NEAR(map.matrix[0][0], 0.5, 1e-7);
  EXPECT_NEAR(map.bias[0], 1.0 / 6, 1e-7);
  EXPECT_NEAR(map.r2, 0.75, 1e-7);
  EXPECT_EQ(map.num_images, 3);
}

TEST(PreviewFit, FindsTheMapThatMadeThePixels) {
  // Channels of very different scales, one of them far from zero.
  const auto scales = torch::tensor({1e-3f, 1.f, 50.f}).view({1, 3, 1, 1});
  const auto latents = drawn({6, 3, 4, 5}) * scales + scales;
  const std::vector<std::vector<double>> matrix{{100, 0.1, 0.002},
                                                {-50, 0.05, -0.001}};
  const std::vector<double> bias{0.25, -0.125};
  const auto weight =
      torch::tensor({100., 0.1, 0.002, -50., 0.05, -0.001}, torch::kDouble)
          .view({2, 3});
  const auto pixels =
      torch::einsum("cd,ndhw->nchw", {weight, latents.to(torch::kDouble)}) +
      torch::tensor(bias, torch::kDouble).view({1, 2, 1, 1});
  PreviewFit fit;
  fit.add(latents.narrow(0, 0, 2), pixels.narrow(0, 0, 2));
  fit.add(latents.narrow(0, 2, 4).narrow(2, 0, 3),  // grids may differ
          pixels.narrow(0, 2, 4).narrow(2, 0, 3));
  const auto map = fit.fit();
  for (size_t c = 0; c < 2; ++c) {
    for (size_t d = 0; d < 3; ++d)
      EXPECT_NEAR(map.matrix[c][d] / matrix[c][d], 1, 1e-5) << c << d;
    EXPECT_NEAR(map.bias[c], bias[c], 1e-5);
  }
  EXPECT_NEAR(map.r2, 1, 1e-9);
}

TEST(PreviewFit, AgreesWithLibTorchsLeastSquares) {
  const auto latents = drawn({4, 5, 3, 3}).to(torch::kDouble);
  const auto pixels =
      latents.narrow(1, 0, 2).tanh() + 0.3 * latents.narrow(1, 3, 2).square();
  PreviewFit fit;
  fit.add(latents, pixels);
  const auto map = fit.fit();
  const auto rows = latents.permute({0, 2, 3, 1}).reshape({-1, 5});
  const auto inputs =
      torch::cat({rows, torch::ones({rows.size(0), 1}, torch::kDouble)}, 1);
  const auto wanted = pixels.permute({0, 2, 3, 1}).reshape({-1, 2});
  const auto solution =
      std::get<0>(torch::linalg_lstsq(inputs, wanted, {}, "gelsd"));
  for (int64_t c = 0; c < 2; ++c) {
    for (int64_t d = 0; d < 5; ++d)
      EXPECT_NEAR(map.matrix[size_t(c)][size_t(d)],
                  solution[d][c].item<double>(), 1e-7);
    EXPECT_NEAR(map.bias[size_t(c)], solution[5][c].item<double>(), 1e-7);
  }
  const auto left = (inputs.mm(solution) - wanted).square().sum(),
             total = (wanted - wanted.mean(0)).square().sum();
  EXPECT_NEAR(map.r2, 1 - (left / total).item<double>(), 1e-7);
  EXPECT_LT(map.r2, 0.9);  // or nothing was left to explain
}

TEST(PreviewFit, TakesASetThatIsAllBlack) {
  PreviewFit fit;
  fit.add(torch::full({3, 4, 2, 2}, 0.3f), torch::full({3, 1, 2, 2}, -1.f));
  const auto map = fit.fit();
  EXPECT_EQ(map.matrix, (std::vector<std::vector<double>>{{0, 0, 0, 0}}));
  EXPECT_EQ(map.bias, std::vector<double>{-1});
  EXPECT_EQ(map.r2, 1);
}

TEST(PreviewFit, GivesNoWeightToWhatOnlyRoundingMoves) {
  // Sums of these numbers are not exact, and so their variance is not 0.
  const auto still =
      torch::tensor({0.1, 1. / 3, 1000. / 7, -1e-3, 2e5 / 9}, torch::kDouble)
          .view({1, 5, 1, 1})
          .expand({9, 5, 7, 7});
  const auto moving = drawn({9, 1, 7, 7}).to(torch::kDouble);
  PreviewFit fit;
  fit.add(torch::cat({still, moving}, 1), 0.5 * moving + 0.1);
  const auto map = fit.fit();
  for (size_t d = 0; d < 5; ++d) EXPECT_EQ(map.matrix[0][d], 0) << d;
  EXPECT_NEAR(map.matrix[0][5], 0.5, 1e-6);
  EXPECT_NEAR(map.bias[0], 0.1, 1e-6);
}

TEST(PreviewFit, SeesSmallDifferencesFarFromZero) {
  const auto moving = drawn({9, 1, 7, 7}).to(torch::kDouble);
  PreviewFit fit;  // twice the same channel, at 10,000 deviations
  fit.add((torch::cat({moving, moving, moving.square()}, 1) + 1e4),
          0.5 * moving);
  const auto map = fit.fit();
  EXPECT_NEAR(map.matrix[0][0], 0.25, 1e-4);
  EXPECT_NEAR(map.matrix[0][1], 0.25, 1e-4);
  EXPECT_NEAR(map.matrix[0][2], 0, 1e-4);
  EXPECT_NEAR(map.r2, 1, 1e-7);
}

TEST(PreviewFit, SharesWeightAmongChannelsThatAreAlike) {
  const auto one = drawn({4, 1, 4, 4});
  PreviewFit fit;
  fit.add(torch::cat({one, one, torch::zeros_like(one)}, 1), one * 0.5);
  const auto map = fit.fit();
  EXPECT_NEAR(map.matrix[0][0], 0.25, 1e-4);
  EXPECT_NEAR(map.matrix[0][1], 0.25, 1e-4);
  EXPECT_EQ(map.matrix[0][2], 0);
  EXPECT_NEAR(map.r2, 1, 1e-7);
}

TEST(PreviewFit, ExplainsNothingOfPixelsThatHaveNothingToDoWithTheLatents) {
  const auto both = drawn({64, 3, 8, 8});
  PreviewFit fit;
  fit.add(both.narrow(1, 0, 2), both.narrow(1, 2, 1));
  EXPECT_NEAR(fit.fit().r2, 0, 0.01);
}

TEST(PreviewFit, RefusesWhatDoesNotFit) {
  PreviewFit fit;
  EXPECT_THROW(fit.fit(), ShapeError);
  EXPECT_THROW(fit.add(torch::zeros({1, 2, 4, 4}), torch::zeros({1, 3, 2, 2})),
               ShapeError);
  fit.add(torch::zeros({1, 2, 4, 4}), torch::zeros({1, 3, 4, 4}));
  EXPECT_THROW(fit.add(torch::zeros({1, 3, 4, 4}), torch::zeros({1, 3, 4, 4})),
               ShapeError);
}

}  // namespace
}  // namespace calotype
