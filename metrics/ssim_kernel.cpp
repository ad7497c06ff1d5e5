#include "metrics/ssim_kernel.h"

#include "core/for_each_cpu.h"

#define CALOTYPE_INLINE inline __attribute__((always_inline))

namespace calotype {
namespace {

// The sums that a window needs: a, b, a^2 + b^2, ab. Only the sum of the two
// variances occurs in the index.
constexpr int kMoments = 4;

/// Lines are as long as whole vectors, so that no rest is left to single
/// numbers; what they hold beyond the windows is never summed.
constexpr int64_t kVector = 8;
constexpr int64_t whole_vectors(int64_t count) {
  return (count + kVector - 1) / kVector * kVector;
}

/// out[x] = the weighted sum around x of 2 kReach + 1 lines. The window is the
/// same both ways, so that each pair of lines needs one product.
template <int kReach>
CALOTYPE_INLINE void weighted_sum(const double* const* lines,
                                  const double* weights, int64_t count,
                                  double* __restrict out) {
#pragma omp simd
  for (int64_t x = 0; x < count; ++x) {
    double sum = weights[0] * lines[kReach][x];
    for (int d = 1; d <= kReach; ++d)
      sum += weights[d] * (lines[kReach - d][x] + lines[kReach + d][x]);
    out[x] = sum;
  }
}

/// Moments of a row of pixels, summed along it: [kMoments, length of a line].
template <int kReach>
CALOTYPE_INLINE void filter_row(const SsimPlane& plane, const float* a,
                                const float* b, double* __restrict pixels,
                                double* out) {
  const int64_t W = plane.width;
  const int64_t length = whole_vectors(W - 2 * kReach);
  const int64_t row = length + 2 * kReach;
#pragma omp simd
  for (int64_t x = 0; x < W; ++x) {
    const double u = a[x], v = b[x];
    pixels[x] = u;
    pixels[row + x] = v;
    pixels[2 * row + x] = u * u + v * v;
    pixels[3 * row + x] = u * v;
  }
  for (int moment = 0; moment < kMoments; ++moment) {
    const double* lines[2 * kReach + 1];
    for (int d = 0; d <= 2 * kReach; ++d) lines[d] = pixels + moment * row + d;
    weighted_sum<kReach>(lines, plane.weights, length, out + moment * length);
  }
}

/// Each row is filtered once and kept in a ring until the windows have passed.
template <int kReach>
CALOTYPE_INLINE SsimMeans means_of_plane(const SsimPlane& plane, const float* a,
                                         const float* b, double* scratch) {
  constexpr int kRows = 2 * kReach + 1;
  const int64_t windows = plane.width - 2 * kReach;
  const int64_t length = whole_vectors(windows);
  double* ring = scratch;
  double* line = ring + kRows * kMoments * length;
  double* pixels = line + kMoments * length;
  double ssim = 0, contrast_structure = 0;
  for (int64_t y = 0; y < plane.height; ++y) {
    filter_row<kReach>(plane, a + y * plane.width, b + y * plane.width, pixels,
                       ring + y % kRows * kMoments * length);
    if (y < 2 * kReach) continue;
    for (int moment = 0; moment < kMoments; ++moment) {
      const double* lines[kRows];
      for (int d = 0; d < kRows; ++d)
        lines[d] = ring + ((y + 1 + d) % kRows * kMoments + moment) * length;
      weighted_sum<kReach>(lines, plane.weights, length,
                           line + moment * length);
    }
#pragma omp simd
    for (int64_t x = 0; x < length; ++x) {
      const double mean_a = line[x], mean_b = line[length + x];
      const double product = mean_a * mean_b;
      const double squares = mean_a * mean_a + mean_b * mean_b;
      const double covariance = line[3 * length + x] - product;
      const double variances = line[2 * length + x] - squares;
      const double luminance = squares + plane.c1;
      const double contrast = variances + plane.c2;
      // One division for both terms.
      const double share = (2 * covariance + plane.c2) / (luminance * contrast);
      line[x] = share * luminance;
      line[length + x] = share * (2 * product + plane.c1);
    }
#pragma omp simd reduction(+ : ssim, contrast_structure)
    for (int64_t x = 0; x < windows; ++x) {
      contrast_structure += line[x];
      ssim += line[length + x];
    }
  }
  const double count = double(windows) * double(plane.height - 2 * kReach);
  return {ssim / count, contrast_structure / count};
}

}  // namespace

int64_t SsimPlane::scratch_size() const {
  const int64_t length = whole_vectors(width - 2 * reach);
  return kMoments * ((2 * reach + 2) * length + length + 2 * reach);
}

CALOTYPE_FOR_EACH_CPU
SsimMeans ssim_of_plane(const SsimPlane& plane, const float* a, const float* b,
                        double* scratch) {
  switch (plane.reach) {
    case 0:
      return means_of_plane<0>(plane, a, b, scratch);
    case 1:
      return means_of_plane<1>(plane, a, b, scratch);
    case 2:
      return means_of_plane<2>(plane, a, b, scratch);
    case 3:
      return means_of_plane<3>(plane, a, b, scratch);
    case 4:
      return means_of_plane<4>(plane, a, b, scratch);
    default:
      return means_of_plane<kLargestSsimReach>(plane, a, b, scratch);
  }
}

}  // namespace calotype
