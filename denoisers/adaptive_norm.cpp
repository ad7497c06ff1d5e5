#include "denoisers/adaptive_norm.h"

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include "nn/layer_norm.h"

namespace calotype {

at::Tensor modulate(const at::Tensor& normed, const at::Tensor& shift,
                    const at::Tensor& scale) {
  return torch::addcmul(shift.unsqueeze(1), normed, (1 + scale).unsqueeze(1));
}

at::Tensor plain_layer_norm(const at::Tensor& x, double eps) {
  return layer_norm(x, {}, {}, eps);
}

void init_linear_maps(torch::nn::Module& module) {
  for (const auto& child : module.modules(/*include_self=*/false))
    if (auto* linear = child->as<Linear>()) {
      torch::nn::init::xavier_uniform_(linear->weight);
      if (linear->bias.defined()) torch::nn::init::zeros_(linear->bias);
    }
}

void init_zero(Linear& linear) {
  torch::nn::init::zeros_(linear->weight);
  torch::nn::init::zeros_(linear->bias);
}

}  // namespace calotype
