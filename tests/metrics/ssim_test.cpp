#include "metrics/ssim.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace calotype {
namespace {

double ssim_of(const at::Tensor& a, const at::Tensor& b) {
  return ssim(a, b, 255).item<double>();
}

TEST(Ssim, OfEqualImagesIsOne) {
  const auto image = at::arange(13 * 17, at::kFloat).view({1, 1, 13, 17});
  EXPECT_DOUBLE_EQ(ssim_of(image, image), 1);
}

// Without structure only the luminance term is left: with c1 = 6.5025,
// (2 * 100 * 50 + c1) / (100^2 + 50^2 + c1).
TEST(Ssim, OfFlatImagesComparesTheirMeans) {
  const auto a = at::full({1, 1, 16, 16}, 100.f);
  EXPECT_NEAR(ssim_of(a, a * 0.5), 10006.5025 / 12506.5025, 1e-9);
}

// A window of one pixel has no variance either.
TEST(Ssim, CutsTheWindowForImagesBelowElevenPixels) {
  const auto a = at::full({1, 1, 2, 2}, 100.f),
             b = at::full({1, 1, 2, 2}, 50.f);
  EXPECT_NEAR(ssim_of(a, b), 10006.5025 / 12506.5025, 1e-9);

  // 3x3: the normalised window is (w, 1 - 2w, w) with w / (1 - 2w) =
  // exp(-1/4.5). One white pixel in the middle against black: mean m = 255 p,
  // mean of squares 255^2 p with p = (1 - 2w)^2.
  const auto white = at::zeros({1, 1, 3, 3});
  white[0][0][1][1] = 255;
  const double side = std::exp(-1 / 4.5), p = std::pow(1 / (1 + 2 * side), 2);
  const double mean = 255 * p, variance = 255 * 255 * p - mean * mean;
  const double c1 = 6.5025, c2 = 58.5225;
  EXPECT_NEAR(ssim_of(white, at::zeros({1, 1, 3, 3})),
              c1 * c2 / ((mean * mean + c1) * (variance + c2)), 1e-12);
}

TEST(Ssim, IsTheSameBothWaysAndForMirroredImages) {
  const auto a = at::arange(12 * 15, at::kFloat).view({1, 1, 12, 15}).fmod(37);
  const auto b = at::arange(12 * 15, at::kFloat).view({1, 1, 12, 15}).fmod(23);
  EXPECT_NEAR(ssim_of(a, b), ssim_of(b, a), 1e-12);
  EXPECT_NEAR(ssim_of(a, b), ssim_of(a.flip({3}), b.flip({3})), 1e-12);
}

TEST(Ssim, IsTheMeanOverTheChannelsOfEachImage) {
  const auto a =
      at::arange(2 * 3 * 144, at::kFloat).view({2, 3, 12, 12}).fmod(31);
  const auto b =
      at::arange(2 * 3 * 144, at::kFloat).view({2, 3, 12, 12}).fmod(19);
  const auto values = ssim(a, b, 255);
  ASSERT_EQ(values.sizes(), at::IntArrayRef({2}));
  double sum = 0;
  for (int64_t c = 0; c < 3; ++c)
    sum += ssim_of(a.slice(0, 1, 2).slice(1, c, c + 1),
                   b.slice(0, 1, 2).slice(1, c, c + 1));
  EXPECT_NEAR(values[1].item<double>(), sum / 3, 1e-12);
}

/// The definition, window by window.
double plain_ssim(const at::Tensor& a, const at::Tensor& b, double range) {
  const auto size =
      std::min<int64_t>(11, (std::min(a.size(0), a.size(1)) - 1) / 2 * 2 + 1);
  const auto place = at::arange(size, at::kDouble) - double(size / 2);
  auto window = (-place.square() / (2 * 1.5 * 1.5)).exp();
  window /= window.sum();
  const auto weights = window.outer(window);
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  double sum = 0, count = 0;
  for (int64_t y = 0; y + size <= a.size(0); ++y)
    for (int64_t x = 0; x + size <= a.size(1); ++x, ++count) {
      const auto u = a.narrow(0, y, size).narrow(1, x, size);
      const auto v = b.narrow(0, y, size).narrow(1, x, size);
      const auto mean = [&](const at::Tensor& values) {
        return (weights * values).sum().item<double>();
      };
      const double mu = mean(u), mv = mean(v);
      const double covariance = mean((u - mu) * (v - mv));
      const double variances = mean((u - mu).square() + (v - mv).square());
      sum += (2 * mu * mv + c1) * (2 * covariance + c2) /
             ((mu * mu + mv * mv + c1) * (variances + c2));
    }
  return sum / count;
}

TEST(Ssim, IsItsDefinitionAtAnySize) {
  for (const auto& [H, W] : {std::pair{1, 9},
                             {4, 30},
                             {7, 7},
                             {9, 40},
                             {11, 11},
                             {12, 35},
                             {31, 23}}) {
    const auto a =
        uniform_rows({H, W}, at::arange(1), 1, Stream::kSynthetic)[0];
    const auto b =
        uniform_rows({H, W}, at::arange(1), 2, Stream::kSynthetic)[0];
    const auto bytes = (a * 255).round();
    // Bright with little contrast, where a sum of squares loses most.
    const auto faint = a * 0.5 + 254;
    for (const auto& [u, v] : {std::pair{bytes, (bytes * 0.7 + b * 60).round()},
                               std::pair{faint, (faint + b * 0.2)}})
      EXPECT_NEAR(ssim_of(u.view({1, 1, H, W}), v.view({1, 1, H, W})),
                  plain_ssim(u.to(at::kDouble), v.to(at::kDouble), 255), 1e-9)
          << H << " x " << W;
  }
}

TEST(Ssim, HasTheSameBitsOnAnyNumberOfThreads) {
  const auto a =
      uniform_rows({3, 40, 53}, at::arange(5), 1, Stream::kSynthetic);
  const auto b =
      uniform_rows({3, 40, 53}, at::arange(5), 2, Stream::kSynthetic);
  const auto threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = ssim(a, b, 1);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(ssim(a, b, 1), alone));
  at::set_num_threads(threads);
}

TEST(Ssim, RefusesImagesOfDifferentSizes) {
  EXPECT_THAT(
      [] {
        ssim(at::zeros({1, 1, 12, 12}), at::zeros({1, 1, 12, 13}), 255);
      },
      testing::ThrowsMessage<ShapeError>(
          "ssim: reconstruction must be [1, 1, 12, 12], got [1, 1, 12, 13]"));
}

// Flat images have no contrast to lose: only the luminance of the coarsest
// scale is left, to its power.
TEST(MultiScaleSsim, OfFlatImagesComparesTheirMeans) {
  const auto a = at::full({1, 2, 176, 180}, 100.f);
  EXPECT_NEAR(multi_scale_ssim(a, a * 0.5, 255).item<double>(),
              std::pow(10006.5025 / 12506.5025, 0.1333), 1e-9);
  EXPECT_NEAR(multi_scale_ssim(a, a, 255).item<double>(), 1, 1e-12);
}

// Stripes one pixel wide are grey from the second scale on, in either phase:
// only the finest scale sees that they are opposed, and its term is below 0.
TEST(MultiScaleSsim, SeesEachScaleAndClampsWhatIsOpposed) {
  const auto stripes = (at::arange(176, at::kFloat).fmod(2) * 255)
                           .view({1, 1, 1, 176})
                           .expand({1, 1, 176, 176});
  EXPECT_EQ(multi_scale_ssim(stripes, 255 - stripes, 255).item<double>(), 0);

  // At half the contrast: with variance v = 127.5^2 of the weighted window
  // (11 columns cannot halve it quite) the finest term is that of ssim().
  const auto faint = (stripes - 127.5) * 0.5 + 127.5;
  EXPECT_NEAR(multi_scale_ssim(stripes, faint, 255).item<double>(),
              std::pow(ssim_of(stripes, faint), 0.0448), 1e-6);
}

TEST(MultiScaleSsim, RefusesSmallImages) {
  const auto small = at::zeros({1, 1, 175, 200});
  EXPECT_THAT([&] { multi_scale_ssim(small, small, 255); },
              testing::ThrowsMessage<ShapeError>(
                  "multi-scale ssim: images need at least 176 pixels to a "
                  "side, got [1, 1, 175, 200]"));
}

}  // namespace
}  // namespace calotype
