#include "nn/activation.h"

#include <torch/types.h>

#include "core/check.h"
#include "nn/batch_invariant.h"
#include "nn/group_norm.h"

namespace calotype {

Activation parse_activation(const std::string& name, const char* key) {
  check_one_of(
      "config", key, name,
      {"silu", "swish", "mish", "gelu", "relu", "tanh", "sigmoid", "none"});
  if (name == "mish") return Activation::kMish;
  if (name == "gelu") return Activation::kGelu;
  if (name == "relu") return Activation::kRelu;
  if (name == "tanh") return Activation::kTanh;
  if (name == "sigmoid") return Activation::kSigmoid;
  if (name == "none") return Activation::kNone;
  return Activation::kSilu;
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kMish:
      return invariant_map(x, torch::mish);
    case Activation::kGelu:
      return invariant_map(
          x, [](const at::Tensor& numbers) { return torch::gelu(numbers); });
    case Activation::kRelu:
      return torch::relu(x);
    case Activation::kTanh:
      return invariant_map(x, torch::tanh);
    case Activation::kSigmoid:
      return invariant_map(x, torch::sigmoid);
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      break;
  }
  return invariant_map(x, torch::silu);
}

at::Tensor norm_activate(GroupNorm& norm, Activation activation,
                         const at::Tensor& x) {
  if (activation == Activation::kSilu) return norm_silu(norm, x);
  return activate(activation, norm->forward(x));
}

}  // namespace calotype
