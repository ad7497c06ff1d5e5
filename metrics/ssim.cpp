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

// The mean SSIM of one channel. The window is a product of a column and a row:
// the columns are summed first, one line of windows at a time, so that the
// scratch memory is five lines whatever the size of the image.
double ssim_of_plane(const float* a, const float* b, int64_t H, int64_t W,
                     const std::vector<double>& window, double data_range) {
  const auto size = static_cast<int64_t>(window.size());
  const double c1 = std::pow(kK1 * data_range, 2);
  const double c2 = std::pow(kK2 * data_range, 2);
  std::array<std::vector<double>, kMoments> column, line;
  for (auto& values : column) values.resize(W);
  for (auto& values : line) values.resize(W - size + 1);

  double sum = 0;
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
      sum += (2 * mean_a * mean_b + c1) * (2 * covariance + c2) /
             ((mean_a * mean_a + mean_b * mean_b + c1) * (variances + c2));
    }
  }
  return sum / static_cast<double>((H - size + 1) * (W - size + 1));
}

}  // namespace

at::Tensor ssim(const at::Tensor& reference, const at::Tensor& reconstruction,
                double data_range) {
  check_shape("ssim", "reference", reference, {-1, -1, -1, -1});
  const auto N = reference.size(0), C = reference.size(1);
  const auto H = reference.size(2), W = reference.size(3);
  check_shape("ssim", "reconstruction", reconstruction, {N, C, H, W});
  if (reference.numel() == 0)
    throw ShapeError(fmt::format("ssim: images must not be empty, got {}",
                                 shape_text(reference.sizes())));

  const auto fitting = std::min({kWindow, H, W});
  const auto window = gaussian_window(fitting - (fitting + 1) % 2);
  const auto a = reference.to(at::kFloat).contiguous();
  const auto b = reconstruction.to(at::kFloat).contiguous();
  const float* pixels_a = a.data_ptr<float>();
  const float* pixels_b = b.data_ptr<float>();
  auto planes = at::empty({N, C}, at::kDouble);
  double* values = planes.data_ptr<double>();
  at::parallel_for(0, N * C, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane)
      values[plane] =
          ssim_of_plane(pixels_a + plane * H * W, pixels_b + plane * H * W, H,
                        W, window, data_range);
  });
  return planes.mean(1);
}

}  // namespace calotype
