#include "metrics/ssim.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "metrics/ssim_kernel.h"

namespace calotype {
namespace {

/// Below that a thread that sleeps comes too late to help (measured: 0.1
/// million pixels take 0.67 ms on one, 0.5 to 0.97 on two).
constexpr int64_t kPixelsPerTask = 1 << 17;
constexpr double kSigma = 1.5;
constexpr double kK1 = 0.01, kK2 = 0.03;

// Wang, Simoncelli and Bovik 2003, section 3.2; the finest scale first.
constexpr std::array kScaleWeights{0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

SsimPlane plane_of(int64_t height, int64_t width, double data_range) {
  SsimPlane plane;
  plane.height = height;
  plane.width = width;
  plane.reach = std::min(kLargestSsimReach, (std::min(height, width) - 1) / 2);
  double sum = 0;
  for (int64_t d = 0; d <= plane.reach; ++d) {
    plane.weights[d] = std::exp(-double(d * d) / (2 * kSigma * kSigma));
    sum += (d == 0 ? 1 : 2) * plane.weights[d];
  }
  for (auto& weight : plane.weights) weight /= sum;
  plane.c1 = std::pow(kK1 * data_range, 2);
  plane.c2 = std::pow(kK2 * data_range, 2);
  return plane;
}

// [N,C] each.
struct Terms {
  at::Tensor ssim, contrast_structure;
};

Terms terms(const at::Tensor& reference, const at::Tensor& reconstruction,
            double data_range) {
  const auto N = reference.size(0), C = reference.size(1);
  const auto H = reference.size(2), W = reference.size(3);
  const auto plane = plane_of(H, W, data_range);
  const auto a = reference.to(at::kFloat).contiguous();
  const auto b = reconstruction.to(at::kFloat).contiguous();
  const float* pixels_a = a.data_ptr<float>();
  const float* pixels_b = b.data_ptr<float>();
  Terms result{at::empty({N, C}, at::kDouble), at::empty({N, C}, at::kDouble)};
  auto* ssims = result.ssim.data_ptr<double>();
  auto* contrasts = result.contrast_structure.data_ptr<double>();
  parallel_for(0, N * C, grain_of(H * W, kPixelsPerTask),
               [&](int64_t begin, int64_t end) {
                 std::vector<double> scratch(size_t(plane.scratch_size()));
                 for (int64_t i = begin; i < end; ++i) {
                   const auto means =
                       ssim_of_plane(plane, pixels_a + i * H * W,
                                     pixels_b + i * H * W, scratch.data());
                   ssims[i] = means.ssim;
                   contrasts[i] = means.contrast_structure;
                 }
               });
  return result;
}

/// Means of 2x2 pixels, in double. A channel at a time: those of a large image
/// take twice what it takes itself.
at::Tensor halved(const at::Tensor& images) {
  std::vector<at::Tensor> channels;
  for (const auto& channel : images.split(1, 1))
    channels.push_back(at::avg_pool2d(channel.to(at::kDouble), 2));
  return at::cat(channels, 1);
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
  auto a = reference, b = reconstruction;
  auto product = at::ones({a.size(0), a.size(1)}, at::kDouble);
  for (size_t scale = 0; scale < kScaleWeights.size(); ++scale) {
    if (scale > 0) {
      a = halved(a);
      b = halved(b);
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
