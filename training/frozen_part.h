#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace calotype {

/// What of a model a training leaves as it is: training.train and
/// training.freeze.
///
/// Patterns are of names of parameters and buffers, as weights_of has them:
/// "*" stands for any letters, dots too, "?" and "[...]" for one, "{a,b}" for
/// either. `train`: what is trained, empty: all; `freeze`: what of it is not.
struct FrozenPatterns {
  std::vector<std::string> train, freeze;
};

/// The names of `module` that are frozen. Throws ConfigError for a pattern that
/// matches none, with the nearest names, and where no parameter is left to be
/// trained.
std::vector<std::string> frozen_names(const torch::nn::Module& module,
                                      const FrozenPatterns& patterns);

/// The frozen part of a model. Its parameters take no gradients, so that no
/// optimizer, weight decay or average knows of them, and modules of which
/// nothing is trained are kept in evaluation, where running statistics and
/// codebooks stay and nothing is dropped out.
class FrozenPart {
 public:
  /// Throws as frozen_names.
  FrozenPart(torch::nn::Module& module, const FrozenPatterns& patterns);

  /// Puts them back into evaluation, where Module::train() has taken them out
  /// of it.
  void stay_as_they_are();

  /// Frozen parameters, and those that no training of their class knows; frozen
  /// buffers are among those of the module.
  const std::map<std::string, at::Tensor>& parameters() const {
    return parameters_;
  }

 private:
  std::map<std::string, at::Tensor> parameters_;
  std::vector<std::shared_ptr<torch::nn::Module>> modules_;
};

}  // namespace calotype
