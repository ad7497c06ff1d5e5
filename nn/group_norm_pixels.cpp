#include "nn/group_norm_pixels.h"

#include <algorithm>
#include <vector>

#include "core/for_each_cpu.h"

namespace calotype {
namespace {

/// What normalising needs of each channel: n = (x - high) scale + rest, and the
/// answer is n w + b.
struct Coefficients {
  std::vector<float> high, scale, rest, weight, bias;

  Coefficients(const NormChannels& shape, const GroupStatistics* statistics)
      : high(size_t(shape.channels)),
        scale(size_t(shape.channels)),
        rest(size_t(shape.channels)),
        weight(shape.weight, shape.weight + shape.channels),
        bias(shape.bias, shape.bias + shape.channels) {
    for (int64_t c = 0; c < shape.channels; ++c) {
      const auto& found = statistics[c / shape.per_group()];
      // Of a flat group n is 0, whatever its numbers are apart by rounding.
      const double spread = found.is_flat ? 0 : found.inverse_std;
      const auto i = size_t(c);
      high[i] = float(found.mean);
      scale[i] = float(spread);
      rest[i] = float((double(high[i]) - found.mean) * spread);
    }
  }
};

template <class T>
CALOTYPE_INLINE void sum_channels(const NormChannels& shape, const T* in,
                                  int64_t pixels, const float* origin,
                                  GroupSums* sums) {
  const auto channels = size_t(shape.channels);
  std::vector<double> work(4 * channels);
  double* const from = work.data();
  double* const sum = from + channels;
  double* const squares = sum + channels;
  double* const largest = squares + channels;
  for (size_t c = 0; c < channels; ++c)
    from[c] = double(origin[int64_t(c) / shape.per_group()]);
  for (int64_t p = 0; p < pixels; ++p) {
    const T* x = in + p * shape.channels;
#pragma omp simd
    for (size_t c = 0; c < channels; ++c) {
      const double apart = double(to_float(x[c])) - from[c];
      const double square = apart * apart;
      sum[c] += apart;
      squares[c] += square;
      largest[c] = square > largest[c] ? square : largest[c];
    }
  }
  for (int64_t g = 0; g < shape.groups; ++g) {
    GroupSums all;
    for (auto c = size_t(g * shape.per_group());
         c < size_t((g + 1) * shape.per_group()); ++c) {
      all.sum += sum[c];
      all.squares += squares[c];
      all.largest_square = std::max(all.largest_square, largest[c]);
    }
    sums[g] = all;
  }
}

template <bool kSilu, class T>
CALOTYPE_INLINE void normalise(const NormChannels& shape, const T* in,
                               int64_t pixels,
                               const GroupStatistics* statistics, T* out) {
  Coefficients k(shape, statistics);
  const auto channels = size_t(shape.channels);
  for (size_t c = 0; c < channels; ++c) {
    k.bias[c] += k.rest[c] * k.weight[c];
    k.scale[c] *= k.weight[c];
  }
  const float *high = k.high.data(), *scale = k.scale.data(),
              *bias = k.bias.data();
  for (int64_t p = 0; p < pixels; ++p) {
    const T* x = in + p * shape.channels;
    T* y = out + p * shape.channels;
#pragma omp simd
    for (size_t c = 0; c < channels; ++c) {
      const float u = (to_float(x[c]) - high[c]) * scale[c] + bias[c];
      store(kSilu ? u * sigmoid(u) : u, y + c);
    }
  }
}

template <bool kSilu>
CALOTYPE_INLINE void sum_back(const NormChannels& shape, const Bfloat16* in,
                              const Bfloat16* grad_out, int64_t pixels,
                              const GroupStatistics* statistics,
                              GradientSums* sums) {
  const Coefficients k(shape, statistics);
  const auto channels = size_t(shape.channels);
  std::vector<double> work(2 * channels);
  double* const sum_du = work.data();
  double* const sum_du_n = sum_du + channels;
  const float *high = k.high.data(), *scale = k.scale.data(),
              *rest = k.rest.data(), *w = k.weight.data(), *b = k.bias.data();
  for (int64_t p = 0; p < pixels; ++p) {
    const Bfloat16* x = in + p * shape.channels;
    const Bfloat16* dy = grad_out + p * shape.channels;
#pragma omp simd
    for (size_t c = 0; c < channels; ++c) {
      const float n = (to_float(x[c]) - high[c]) * scale[c] + rest[c];
      const float du = gradient_of<kSilu>(n, w[c], b[c], to_float(dy[c]));
      sum_du[c] += double(du);
      sum_du_n[c] += double(du * n);
    }
  }
  for (size_t c = 0; c < channels; ++c) sums[c] = {sum_du[c], sum_du_n[c]};
}

template <bool kSilu>
CALOTYPE_INLINE void back(const NormChannels& shape, const Bfloat16* in,
                          const Bfloat16* grad_out, int64_t pixels,
                          const GroupStatistics* statistics,
                          const GradientSums* means, Bfloat16* grad_in) {
  const Coefficients k(shape, statistics);
  const auto channels = size_t(shape.channels);
  std::vector<float> work(3 * channels);
  float* const spread = work.data();
  float* const mean_du = spread + channels;
  float* const mean_du_n = mean_du + channels;
  for (size_t c = 0; c < channels; ++c) {
    const auto g = int64_t(c) / shape.per_group();
    spread[c] = float(statistics[g].inverse_std);
    mean_du[c] = float(means[g].du);
    mean_du_n[c] = float(means[g].du_n);
  }
  const float *high = k.high.data(), *scale = k.scale.data(),
              *rest = k.rest.data(), *w = k.weight.data(), *b = k.bias.data();
  for (int64_t p = 0; p < pixels; ++p) {
    const Bfloat16* x = in + p * shape.channels;
    const Bfloat16* dy = grad_out + p * shape.channels;
    Bfloat16* dx = grad_in + p * shape.channels;
#pragma omp simd
    for (size_t c = 0; c < channels; ++c) {
      const float n = (to_float(x[c]) - high[c]) * scale[c] + rest[c];
      const float du = gradient_of<kSilu>(n, w[c], b[c], to_float(dy[c]));
      store(spread[c] * ((w[c] * du - mean_du[c]) - n * mean_du_n[c]), dx + c);
    }
  }
}

}  // namespace

// Each of these stands for itself, as versions for a processor are made of
// functions, not of templates.

CALOTYPE_FOR_EACH_CPU
void sum_pixels(const NormChannels& shape, const float* in, int64_t pixels,
                const float* origin, GroupSums* sums) {
  sum_channels(shape, in, pixels, origin, sums);
}

CALOTYPE_FOR_EACH_CPU
void sum_pixels(const NormChannels& shape, const Bfloat16* in, int64_t pixels,
                const float* origin, GroupSums* sums) {
  sum_channels(shape, in, pixels, origin, sums);
}

CALOTYPE_FOR_EACH_CPU
void normalise_pixels(const NormChannels& shape, bool silu, const float* in,
                      int64_t pixels, const GroupStatistics* statistics,
                      float* out) {
  silu ? normalise<true>(shape, in, pixels, statistics, out)
       : normalise<false>(shape, in, pixels, statistics, out);
}

CALOTYPE_FOR_EACH_CPU
void normalise_pixels(const NormChannels& shape, bool silu, const Bfloat16* in,
                      int64_t pixels, const GroupStatistics* statistics,
                      Bfloat16* out) {
  silu ? normalise<true>(shape, in, pixels, statistics, out)
       : normalise<false>(shape, in, pixels, statistics, out);
}

CALOTYPE_FOR_EACH_CPU
void sum_gradients(const NormChannels& shape, bool silu, const Bfloat16* in,
                   const Bfloat16* grad_out, int64_t pixels,
                   const GroupStatistics* statistics, GradientSums* sums) {
  silu ? sum_back<true>(shape, in, grad_out, pixels, statistics, sums)
       : sum_back<false>(shape, in, grad_out, pixels, statistics, sums);
}

CALOTYPE_FOR_EACH_CPU
void backward_pixels(const NormChannels& shape, bool silu, const Bfloat16* in,
                     const Bfloat16* grad_out, int64_t pixels,
                     const GroupStatistics* statistics,
                     const GradientSums* means, Bfloat16* grad_in) {
  silu ? back<true>(shape, in, grad_out, pixels, statistics, means, grad_in)
       : back<false>(shape, in, grad_out, pixels, statistics, means, grad_in);
}

}  // namespace calotype
