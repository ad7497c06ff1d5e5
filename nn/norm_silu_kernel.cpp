#include "nn/norm_silu_kernel.h"

#include <bit>
#include <cmath>

#include "core/for_each_cpu.h"

namespace calotype {
namespace {

/// exp(x) to 2 units in the last place: 2^n by the exponent's bits times a
/// polynomial in the rest (Cephes' coefficients). Branch-free, so that loops
/// vectorise.
inline __attribute__((always_inline)) float exp_of(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float n = std::floor(x * 1.44269504f + 0.5f);
  const float r =
      (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

inline __attribute__((always_inline)) float sigmoid(float x) {
  return 1.0f / (1.0f + exp_of(-x));
}

}  // namespace

CALOTYPE_FOR_EACH_CPU
void norm_silu_forward(const NormGroup& group, const float* in, float* out,
                       float eps, float* mean, float* inverse_std) {
  const int64_t plane = group.plane;
  const int64_t count = group.num_channels * plane;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += in[i];
  const float mu = sum / float(count);
  float squares = 0;  // around the mean: sum(x^2) - mu^2 would cancel
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < count; ++i) squares += (in[i] - mu) * (in[i] - mu);
  const float scale = 1.0f / std::sqrt(squares / float(count) + eps);

  for (int64_t c = 0; c < group.num_channels; ++c) {
    const float a = scale * group.weight[c];
    const float b = group.bias[c] - mu * a;
    const float* x = in + c * plane;
    float* y = out + c * plane;
#pragma omp simd
    for (int64_t i = 0; i < plane; ++i) {
      const float u = x[i] * a + b;
      y[i] = u * sigmoid(u);
    }
  }
  *mean = mu;
  *inverse_std = scale;
}

CALOTYPE_FOR_EACH_CPU
void norm_silu_backward(const NormGroup& group, const float* in,
                        const float* grad_out, float mean, float inverse_std,
                        float* grad_in, float* grad_weight, float* grad_bias) {
  const int64_t plane = group.plane;
  const float count = float(group.num_channels * plane);
  // With n = (x - mean) / std, u = w n + b, y = silu(u): du = dy silu'(u), and
  // dx = (w du - mean(w du) - n mean(w du n)) / std over the group. The first
  // pass leaves du in grad_in; the group fits the nearest cache, so the second
  // is cheap.
  float sum_du = 0, sum_du_n = 0;  // each times w
  for (int64_t c = 0; c < group.num_channels; ++c) {
    const float* x = in + c * plane;
    const float* dy = grad_out + c * plane;
    float* du = grad_in + c * plane;
    const float w = group.weight[c], b = group.bias[c];
    float channel_du = 0, channel_du_n = 0;
#pragma omp simd reduction(+ : channel_du, channel_du_n)
    for (int64_t i = 0; i < plane; ++i) {
      const float n = (x[i] - mean) * inverse_std;
      const float u = w * n + b;
      const float s = sigmoid(u);
      const float d = dy[i] * s * (1.0f + u * (1.0f - s));
      du[i] = d;
      channel_du += d;
      channel_du_n += d * n;
    }
    grad_weight[c] += channel_du_n;
    grad_bias[c] += channel_du;
    sum_du += w * channel_du;
    sum_du_n += w * channel_du_n;
  }
  const float mean_du = sum_du / count, mean_du_n = sum_du_n / count;
  for (int64_t c = 0; c < group.num_channels; ++c) {
    const float* x = in + c * plane;
    float* d = grad_in + c * plane;
    const float w = group.weight[c];
#pragma omp simd
    for (int64_t i = 0; i < plane; ++i) {
      const float n = (x[i] - mean) * inverse_std;
      d[i] = inverse_std * (w * d[i] - mean_du - n * mean_du_n);
    }
  }
}

}  // namespace calotype
