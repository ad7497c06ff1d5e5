#include "images/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace calotype {
namespace {

double triangle(double x) {
  return std::max(0.0, 1 - std::abs(x));
}

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Which inputs make one output, and how much each counts.
struct Taps {
  int64_t begin = 0;
  std::vector<float> weights;  // sum to 1
};

std::vector<Taps> make_taps(int64_t size_in, int64_t size_out, Kernel kernel) {
  const double scale = double(size_in) / double(size_out);
  const double stretch =  // wider than the kernel when shrinking
      kernel == Kernel::kAliasedTriangle ? 1.0 : std::max(scale, 1.0);
  const double support = stretch * (kernel == Kernel::kCubic ? 2 : 1);
  std::vector<Taps> all(static_cast<size_t>(size_out));
  for (int64_t i = 0; i < size_out; ++i) {
    auto& taps = all[size_t(i)];
    const double center = (double(i) + 0.5) * scale;  // pixels cover [k, k+1)
    taps.begin = std::max<int64_t>(0, int64_t(std::floor(center - support)));
    const int64_t end = std::min(size_in, int64_t(std::ceil(center + support)));
    double sum = 0;
    for (int64_t k = taps.begin; k < end; ++k) {
      const double x = (double(k) + 0.5 - center) / stretch;
      const double weight = kernel == Kernel::kCubic ? cubic(x) : triangle(x);
      taps.weights.push_back(float(weight));
      sum += weight;
    }
    for (float& weight : taps.weights) weight = float(weight / sum);
  }
  return all;
}

/// One row of the result: input rows weighted by `taps`.
void combine_rows(const Image& image, const Taps& taps,
                  std::vector<float>& row) {
  std::ranges::fill(row, 0.0f);
  const int64_t size = image.width * image.channels;
  const uint8_t* from = image.pixels.data() + taps.begin * size;
  for (const float weight : taps.weights) {
    for (int64_t i = 0; i < size; ++i)
      row[size_t(i)] += weight * float(from[i]);
    from += size;
  }
}

}  // namespace

Image resample(const Image& image, int64_t height, int64_t width,
               Kernel kernel) {
  const auto rows = make_taps(image.height, height, kernel);
  const auto columns = make_taps(image.width, width, kernel);
  const int64_t channels = image.channels;
  Image out{height, width, channels, {}};
  out.pixels.reserve(size_t(height * width * channels));
  std::vector<float> row(size_t(image.width * channels));
  for (const auto& row_taps : rows) {
    combine_rows(image, row_taps, row);
    for (const auto& taps : columns)
      for (int64_t c = 0; c < channels; ++c) {
        const float* from = row.data() + taps.begin * channels + c;
        float sum = 0;
        for (const float weight : taps.weights) {
          sum += weight * *from;
          from += channels;
        }
        out.pixels.push_back(uint8_t(std::clamp(sum + 0.5f, 0.0f, 255.0f)));
      }
  }
  return out;
}

}  // namespace calotype
