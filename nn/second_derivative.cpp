#include "nn/second_derivative.h"

#include <torch/autograd.h>

namespace calotype {

std::vector<at::Tensor> differentiable_gradients(
    const at::Tensor& out, const std::vector<at::Tensor>& inputs,
    const at::Tensor& grad) {
  std::vector<at::Tensor> wanted, gradients(inputs.size());
  for (const auto& input : inputs)
    if (input.requires_grad()) wanted.push_back(input);
  auto found = torch::autograd::grad({out}, wanted, {grad},
                                     /*retain_graph=*/true,
                                     /*create_graph=*/true);
  for (size_t i = 0, next = 0; i < inputs.size(); ++i)
    if (inputs[i].requires_grad()) gradients[i] = found[next++];
  return gradients;
}

}  // namespace calotype
