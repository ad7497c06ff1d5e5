#include "models/pipeline_codec.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace calotype {
namespace {

/// A convolution of 1x1, in double.
struct Affine {
  at::Tensor weight;  // [out,in]
  at::Tensor bias;    // [out]
};

/// The one called `name`, or what it does where the codec has none: nothing.
Affine affine_of(const TensorFile& weights, const std::string& name,
                 int64_t channels) {
  const auto found = weights.tensors.find(name + ".weight");
  if (found == weights.tensors.end())
    return {at::eye(channels, at::kDouble), at::zeros({channels}, at::kDouble)};
  return {found->second.to(at::kDouble).flatten(1),
          weights.tensors.at(name + ".bias").to(at::kDouble)};
}

void put(TensorFile& weights, const std::string& name, const Affine& affine) {
  const auto to_float = [](const at::Tensor& values) {
    return values.to(at::kFloat).contiguous();
  };
  weights.tensors[name + ".weight"] =
      to_float(affine.weight.unsqueeze(-1).unsqueeze(-1));
  weights.tensors[name + ".bias"] = to_float(affine.bias);
}

/// [D] what normalised latents are multiplied with: 0 where nothing varies.
at::Tensor spreads(const LatentSpace& space) {
  auto std = space.std;
  for (size_t channel = 0; channel < std.size(); ++channel)
    if (space.channel_is_constant(channel)) std[channel] = 0;
  return at::tensor(std, at::kDouble);
}

}  // namespace

double single_scale(const LatentSpace& space) {
  const auto is_one = [&](size_t channel) {
    return space.mean[channel] == 0 && space.std[channel] == space.std[0] &&
           !space.channel_is_constant(channel);
  };
  for (size_t channel = 0; channel < space.std.size(); ++channel)
    if (!is_one(channel)) return 0;
  return 1 / space.std[0];
}

TensorFile normalised_codec(TensorFile weights, Json& config,
                            const LatentSpace& space) {
  const auto D = space.grid_shape[0];
  const auto mean = at::tensor(space.mean, at::kDouble), std = spreads(space);
  const auto constant = std.eq(0);
  const auto inverse = at::where(constant, at::zeros_like(std), 1 / std);

  // The mean's rows come first, then those of the log-variance.
  auto first = affine_of(weights, "quant_conv", 2 * D);
  const auto means = Affine{first.weight.narrow(0, 0, D) * inverse.unsqueeze(1),
                            (first.bias.narrow(0, 0, D) - mean) * inverse};
  // Nothing varies with a log-variance at the bound that the class has.
  constexpr double kLeastLogvar = -30;
  const auto moving = constant.logical_not().to(at::kDouble);
  const auto logvars =
      Affine{first.weight.narrow(0, D, D) * moving.unsqueeze(1),
             at::where(constant, at::full_like(std, kLeastLogvar),
                       first.bias.narrow(0, D, D) + 2 * inverse.log())};
  put(weights, "quant_conv",
      {at::cat({means.weight, logvars.weight}),
       at::cat({means.bias, logvars.bias})});

  const auto last = affine_of(weights, "post_quant_conv", D);
  put(weights, "post_quant_conv",
      {last.weight * std.unsqueeze(0), last.bias + last.weight.mv(mean)});
  config["use_quant_conv"] = config["use_post_quant_conv"] = true;
  return weights;
}

}  // namespace calotype
