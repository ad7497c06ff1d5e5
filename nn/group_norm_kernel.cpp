#include "nn/group_norm_kernel.h"

#include <algorithm>

#include "core/for_each_cpu.h"
#include "nn/exponential.h"
#include "nn/group_norm_arithmetic.h"

namespace calotype {
namespace {

/// Sums of so many floats are floats; what adds those up is a double.
constexpr int64_t kNumbersPerSum = 64;

/// A double in two floats. Numbers near it lose no digit when `high` is taken
/// off them; `low` is what is left to take.
struct TwoFloats {
  float high, low;

  explicit TwoFloats(double value)
      : high(float(value)), low(float(value - double(high))) {}
};

/// One pass, in double. Around the first number, so that a large mean does not
/// eat the digits of the variance.
CALOTYPE_INLINE GroupStatistics statistics_in(const float* in, int64_t count,
                                              double eps) {
  const double origin = in[0];
  double sum = 0, squares = 0, largest = 0;
#pragma omp simd reduction(+ : sum, squares) reduction(max : largest)
  for (int64_t i = 0; i < count; ++i) {
    const double apart = double(in[i]) - origin;
    const double square = apart * apart;
    sum += apart;
    squares += square;
    largest = square > largest ? square : largest;
  }
  return statistics_of(GroupSums{sum, squares, largest}, count, origin, eps);
}

template <bool kSilu>
CALOTYPE_INLINE GroupStatistics forward(const NormGroup& group, const float* in,
                                        double eps, float* out) {
  const int64_t plane = group.plane;
  const auto found = statistics_in(in, group.num_channels * plane, eps);
  const TwoFloats mean(found.mean);
  const double inverse_std = found.is_flat ? 0 : found.inverse_std;
  for (int64_t c = 0; c < group.num_channels; ++c) {
    const double scale = inverse_std * group.weight[c];
    const auto a = float(scale);
    const auto b = float(group.bias[c] - mean.low * scale);
    const float* x = in + c * plane;
    float* y = out + c * plane;
#pragma omp simd
    for (int64_t i = 0; i < plane; ++i) {
      const float u = (x[i] - mean.high) * a + b;
      y[i] = kSilu ? u * sigmoid(u) : u;
    }
  }
  return found;
}

template <bool kSilu>
CALOTYPE_INLINE void backward(const NormGroup& group, const float* in,
                              const float* grad_out,
                              const GroupStatistics& statistics, float* grad_in,
                              double* grad_weight, double* grad_bias) {
  const int64_t plane = group.plane;
  const double count = double(group.num_channels * plane);
  const TwoFloats mean(statistics.mean);
  const auto inverse_std = float(statistics.inverse_std);
  // Of n, which is 0 in a flat group whatever a change of it would do.
  const double spread = statistics.is_flat ? 0 : statistics.inverse_std;
  const auto scale = float(spread), rest = float(-mean.low * spread);
  // With n = (x - mean) / std, u = w n + b, y = silu(u): du = dy silu'(u), and
  // dx = (w du - mean(w du) - n mean(w du n)) / std over the group. The first
  // pass leaves du in grad_in; small groups fit the nearest cache, so that the
  // second is cheap.
  double sum_du = 0, sum_du_n = 0;  // each times w
  for (int64_t c = 0; c < group.num_channels; ++c) {
    const float* x = in + c * plane;
    const float* dy = grad_out + c * plane;
    float* du = grad_in + c * plane;
    const float w = group.weight[c], b = group.bias[c];
    // Around the first du, so that what is alike adds up without an error.
    const float first =
        gradient_of<kSilu>((x[0] - mean.high) * scale + rest, w, b, dy[0]);
    double channel_du = double(first) * double(plane), channel_du_n = 0;
    for (int64_t begin = 0; begin < plane; begin += kNumbersPerSum) {
      const int64_t end = std::min(begin + kNumbersPerSum, plane);
      float block_du = 0, block_du_n = 0;
#pragma omp simd reduction(+ : block_du, block_du_n)
      for (int64_t i = begin; i < end; ++i) {
        const float n = (x[i] - mean.high) * scale + rest;
        const float d = gradient_of<kSilu>(n, w, b, dy[i]);
        du[i] = d;
        block_du += d - first;
        block_du_n += d * n;
      }
      channel_du += double(block_du);
      channel_du_n += double(block_du_n);
    }
    grad_weight[c] = channel_du_n;
    grad_bias[c] = channel_du;
    sum_du += w * channel_du;
    sum_du_n += w * channel_du_n;
  }
  const TwoFloats mean_du(sum_du / count);
  const auto mean_du_n = float(sum_du_n / count);
  for (int64_t c = 0; c < group.num_channels; ++c) {
    const float* x = in + c * plane;
    float* d = grad_in + c * plane;
    const float w = group.weight[c];
#pragma omp simd
    for (int64_t i = 0; i < plane; ++i) {
      const float n = (x[i] - mean.high) * scale + rest;
      d[i] = inverse_std *
             ((w * d[i] - mean_du.high) - mean_du.low - n * mean_du_n);
    }
  }
}

}  // namespace

CALOTYPE_FOR_EACH_CPU
GroupStatistics group_norm_forward(const NormGroup& group, bool silu,
                                   const float* in, double eps, float* out) {
  return silu ? forward<true>(group, in, eps, out)
              : forward<false>(group, in, eps, out);
}

CALOTYPE_FOR_EACH_CPU
void group_norm_backward(const NormGroup& group, bool silu, const float* in,
                         const float* grad_out,
                         const GroupStatistics& statistics, float* grad_in,
                         double* grad_weight, double* grad_bias) {
  if (silu)
    backward<true>(group, in, grad_out, statistics, grad_in, grad_weight,
                   grad_bias);
  else
    backward<false>(group, in, grad_out, statistics, grad_in, grad_weight,
                    grad_bias);
}

}  // namespace calotype
