#include "nn/time_embedding.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "nn/batch_invariant.h"

namespace calotype {
namespace {

constexpr double kMaxPeriod = 10000;
constexpr double kFourierScale = 16;  // diffusers' UNet2DModel

/// `function` of each number by itself, in double. LibTorch's sine of a vector
/// of floats chooses how to reduce its numbers by the largest of them, so that
/// the bits of a row would depend on the rows beside it.
torch::Tensor of_each(const torch::Tensor& angles, double (*function)(double),
                      torch::Tensor (*elsewhere)(const torch::Tensor&)) {
  if (!angles.device().is_cpu()) return elsewhere(angles);
  const auto from = angles.contiguous();
  auto out = torch::empty_like(from);
  const auto* in = from.data_ptr<float>();
  std::transform(in, in + from.numel(), out.data_ptr<float>(),
                 [&](float x) { return float(function(double(x))); });
  return out;
}

torch::Tensor sines_of(const torch::Tensor& angles) {
  return of_each(angles, std::sin, torch::sin);
}
torch::Tensor cosines_of(const torch::Tensor& angles) {
  return of_each(angles, std::cos, torch::cos);
}

}  // namespace

torch::Tensor sinusoidal_embedding(const torch::Tensor& times, int64_t dim,
                                   bool cosine_first, double freq_shift) {
  const int64_t half = dim / 2;
  const auto options =
      torch::TensorOptions().dtype(torch::kFloat).device(times.device());
  const auto exponents = torch::arange(half, options) *
                         (-std::log(kMaxPeriod) / (double(half) - freq_shift));
  const auto angles =
      times.to(torch::kFloat).unsqueeze(1) * exponents.exp().unsqueeze(0);
  const auto sines = sines_of(angles), cosines = cosines_of(angles);
  auto embedding = cosine_first ? torch::cat({cosines, sines}, 1)
                                : torch::cat({sines, cosines}, 1);
  if (dim % 2 == 1) embedding = torch::constant_pad_nd(embedding, {0, 1});
  return embedding;
}

FourierEmbeddingImpl::FourierEmbeddingImpl(int64_t half_dim) {
  weight_ =
      register_parameter("weight", torch::randn({half_dim}) * kFourierScale,
                         /*requires_grad=*/false);
}

torch::Tensor FourierEmbeddingImpl::forward(const torch::Tensor& times) {
  const auto angles =
      invariant_map(times.to(torch::kFloat), torch::log).unsqueeze(1) *
      weight_.unsqueeze(0) * (2 * std::numbers::pi);
  return torch::cat({sines_of(angles), cosines_of(angles)}, 1);
}

TimeMlpImpl::TimeMlpImpl(int64_t in_dim, int64_t out_dim, Activation activation)
    : activation_(activation) {
  linear_1_ = register_module("linear_1", Linear(in_dim, out_dim));
  linear_2_ = register_module("linear_2", Linear(out_dim, out_dim));
}

torch::Tensor TimeMlpImpl::forward(const torch::Tensor& x) {
  return linear_2_(activate(activation_, linear_1_(x)));
}

}  // namespace calotype
