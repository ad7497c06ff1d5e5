#include "vqvae/gradient_estimate.h"

#include <torch/types.h>

#include "core/check.h"

namespace calotype {
namespace {

constexpr double kTiny = 1e-12;  // a shorter vector has no direction

at::Tensor straight_through(const at::Tensor& inputs, const at::Tensor& codes) {
  return inputs + (codes - inputs).detach();
}

at::Tensor lengths(const at::Tensor& rows) {
  return rows.norm(2, {1}, /*keepdim=*/true);
}

/// sum over the rows of a * b: [M,1].
at::Tensor dots(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum(1, /*keepdim=*/true);
}

at::Tensor rotated(const at::Tensor& inputs, const at::Tensor& codes) {
  const auto x = inputs.detach(), c = codes.detach();
  const auto x_length = lengths(x), c_length = lengths(c);
  const auto u = x / x_length.clamp_min(kTiny);
  const auto q = c / c_length.clamp_min(kTiny);
  const auto between = u + q;
  const auto between_length = lengths(between);
  const auto w = between / between_length.clamp_min(kTiny);
  // R = 1 - 2 w w' + 2 q u': a reflection that swaps u and -q, then -q to q.
  const auto turned =
      inputs - 2 * dots(inputs, w) * w + 2 * dots(inputs, u) * q;
  const auto output = turned * (c_length / x_length.clamp_min(kTiny));
  const auto has_plane = (x_length > kTiny).logical_and(between_length > 1e-6);
  // The numbers are the code's to the last bit; only the gradient is R's.
  return torch::where(has_plane, output + (c - output).detach(),
                      straight_through(inputs, codes));
}

}  // namespace

GradientEstimate parse_gradient_estimate(const std::string& name) {
  check_one_of("quantizer", "gradient", name, {"straight_through", "rotation"});
  return name == "rotation" ? GradientEstimate::kRotation
                            : GradientEstimate::kStraightThrough;
}

at::Tensor with_gradient(GradientEstimate estimate, const at::Tensor& inputs,
                         const at::Tensor& codes) {
  return estimate == GradientEstimate::kRotation
             ? rotated(inputs, codes)
             : straight_through(inputs, codes);
}

}  // namespace calotype
