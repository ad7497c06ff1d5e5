#pragma once

#include <torch/nn/module.h>
#include <torch/utils.h>

namespace calotype {

/// A new model answers 0; with numbers everywhere it answers something.
inline void perturb(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  for (auto& parameter : module.parameters())
    parameter.add_(0.2 * torch::randn_like(parameter));
}

}  // namespace calotype
