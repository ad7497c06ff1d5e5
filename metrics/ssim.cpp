#include "metrics/ssim.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kK1 = 0.01, kK2 = 0.03;

// Wang, Simoncelli and Bovik 2003, section 3.2; the finest scale first.
constexpr std::array kScaleWeights{0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

// The sums that a window needs: a, b, a^2, b^2, ab.
constexpr int kMoments = 5;

std::vector<double> gaussian_window(int64_t size) {
  std::vector<double> weights(size);
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) {
    const double distance = static_cast<double>(i - size / 2);
    weights[i] = std::exp(-distance * distance / (2 * kSigma * kSigma));
    sum += weights[i];
  }
  for (auto& weight : weights) weight /= sum;
  return weights;
}

// The means over all windows of one channel.
struct PlaneTerms {
  double ssim = 0;
  double contrast_structure = 0;  // the same without the term of the means
};

// The window is a product of a column and a row:
// the columns are summed first, one line of windows at a time, so that the
// scratch memory is five lines whatever the size of the image.
PlaneTerms terms_of_plane(const float* a, const float* b, int64_t H, int64_t W,
                          const std::vector<double>& window,
                          double data_range) {
  const auto size = static_cast<int64_t>(window.size());
  const double c1 = std::pow(kK1 * data_range, 2);
  const double c2 = std::pow(kK2 * data_range, 2);
  std::array<std::vector<double>, kMoments> column, line;
  for (auto& values : column) values.resize(W);
  for (auto& values : line) values.resize(W - size + 1);

  PlaneTerms sums;
  for (int64_t top = 0; top + size <= H; ++top) {
    for (auto& values : column) std::fill(values.begin(), values.end(), 0.0);
    for (int64_t dy = 0; dy < size; ++dy) {
      const float* row_a = a + (top + dy) * W;
      const float* row_b = b + (top + dy) * W;
      const double weight = window[dy];
      for (int64_t x = 0; x < W; ++x) {
        const double pixel_a = row_a[x], pixel_b = row_b[x];
        column[0][x] += weight * pixel_a;
        column[1][x] += weight * pixel_b;
        column[2][x] += weight * pixel_a * pixel_a;
        column[3][x] += weight * pixel_b * pixel_b;
        column[4][x] += weight * pixel_a * pixel_b;
      }
    }
    for (int moment = 0; moment < kMoments; ++moment) {
      auto& out = line[moment];
      std::fill(out.begin(), out.end(), 0.0);
      for (int64_t dx = 0; dx < size; ++dx)
        for (size_t x = 0; x < out.size(); ++x)
          out[x] += window[dx] * column[moment][x + dx];
    }
    for (size_t x = 0; x < line[0].size(); ++x) {
      const double mean_a = line[0][x], mean_b = line[1][x];
      const double variances =
          line[2][x] - mean_a * mean_a + line[3][x] - mean_b * mean_b;
      const double covariance = line[4][x] - mean_a * mean_b;
      const double contrast_structure =
          (2 * covariance + c2) / (variances + c2);
      sums.contrast_structure += contrast_structure;
      sums.ssim += (2 * mean_a * mean_b + c1) * contrast_structure /
                   (mean_a * mean_a + mean_b * mean_b + c1);
    }
  }
  const auto count = static_cast<double>((H - size + 1) * (W - size + 1));
  return {sums.ssim / count, sums.contrast_structure / count};
}

// [N,C] each.
struct Terms {
  at::Tensor ssim, contrast_structure;
};

Terms terms(const at::Tensor& reference, const at::Tensor& reconstruction,
            double data_range) {
  const auto N = reference.size(0), C = reference.size(1);
  const auto H = reference.size(2), W = reference.size(3);
  const auto fitting = std::min({kWindow, H, W});
  const auto window = gaussian_window(fitting - (fitting + 1) % 2);
  const auto a = reference.to(at::kFloat).contiguous();
  const auto b = reconstruction.to(at::kFloat).contiguous();
  const float* pixels_a = a.data_ptr<float>();
  const float* pixels_b = b.data_ptr<float>();
  Terms result{at::empty({N, C}, at::kDouble), at::empty({N, C}, at::kDouble)};
  auto* ssims = result.ssim.data_ptr<double>();
  auto* contrasts = result.contrast_structure.data_ptr<double>();
  at::parallel_for(0, N * C, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const auto means =
          terms_of_plane(pixels_a + plane * H * W, pixels_b + plane * H * W, H,
                         W, window, data_range);
      ssims[plane] = means.ssim;
      contrasts[plane] = means.contrast_structure;
    }
  });
  return result;
}

void check_images(const char* where, const at::Tensor& reference,
                  const at::Tensor& reconstruction) {
  check_shape(where, "reference", reference, {-1, -1, -1, -1});
  check_shape(where, "reconstruction", reconstruction,
              {reference.size(0), reference.size(1), reference.size(2),
               reference.size(3)});
  if (reference.numel() == 0)
    throw ShapeError(fmt::format("{}: images must not be empty, got {}", where,
                                 shape_text(reference.sizes())));
}

}  // namespace

at::Tensor ssim(const at::Tensor& reference, const at::Tensor& reconstruction,
                double data_range) {
  check_images("ssim", reference, reconstruction);
  return terms(reference, reconstruction, data_range).ssim.mean(1);
}

at::Tensor multi_scale_ssim(const at::Tensor& reference,
                            const at::Tensor& reconstruction,
                            double data_range) {
  check_images("multi-scale ssim", reference, reconstruction);
  if (std::min(reference.size(2), reference.size(3)) < kSmallestMultiScaleSide)
    throw ShapeError(fmt::format(
        "multi-scale ssim: images need at least {} pixels to a side, got {}",
        kSmallestMultiScaleSide, shape_text(reference.sizes())));
  auto a = reference.to(at::kDouble), b = reconstruction.to(at::kDouble);
  auto product = at::ones({a.size(0), a.size(1)}, at::kDouble);
  for (size_t scale = 0; scale < kScaleWeights.size(); ++scale) {
    if (scale > 0) {
      a = at::avg_pool2d(a, 2);
      b = at::avg_pool2d(b, 2);
    }
    const auto found = terms(a, b, data_range);
    const bool is_last = scale + 1 == kScaleWeights.size();
    // Negative where structures are opposed; a power of that is no number.
    product *= (is_last ? found.ssim : found.contrast_structure)
                   .clamp_min(0)
                   .pow(kScaleWeights[scale]);
  }
  return product.mean(1);
}

}  // namespace calotype
