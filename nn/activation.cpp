#include "nn/activation.h"

#include <torch/types.h>

#include "core/check.h"
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
      return torch::mish(x);
    case Activation::kGelu:
      return torch::gelu(x);
    case Activation::kRelu:
      return torch::relu(x);
    case Activation::kTanh:
      return torch::tanh(x);
    case Activation::kSigmoid:
      return torch::sigmoid(x);
    case Activation::kNone:
      return x;
    case Activation::kSilu:
      break;
  }
  return torch::silu(x);
}

at::Tensor norm_activate(GroupNorm& norm, Activation activation,
                         const at::Tensor& x) {
  if (activation == Activation::kSilu) return norm_silu(norm, x);
  return activate(activation, norm->forward(x));
}

}  // namespace calotype
