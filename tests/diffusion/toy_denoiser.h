#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>
#include <torch/types.h>

#include <functional>
#include <vector>

#include "diffusion/denoiser.h"
#include "diffusion/latent_space.h"
#include "nn/batch_invariant.h"
#include "nn/sliced.h"

namespace calotype {

/// A network that answers with a formula and remembers what it was shown.
class FormulaDenoiser : public Denoiser {
 public:
  using Formula = std::function<at::Tensor(const at::Tensor& sample,
                                           const at::Tensor& timestep,
                                           const at::Tensor& class_labels)>;

  FormulaDenoiser(int64_t num_classes, Formula formula)
      : num_classes_(num_classes), formula_(std::move(formula)) {}

  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                     const at::Tensor& class_labels) override {
    seen.push_back(sample.clone());
    was_training = module_.is_training();
    return formula_(sample, timestep, class_labels);
  }
  int64_t num_classes() const override { return num_classes_; }
  torch::nn::Module& module() override { return module_; }

  std::vector<at::Tensor> seen;  // the samples of each call
  bool was_training = false;     // in the last call

 private:
  int64_t num_classes_;
  Formula formula_;
  torch::nn::Module module_;
  SliceScope whole_{1};  // a call of each batch, one after the other
};

/// The smallest network that mixes pixels, timestep and class.
class ConvDenoiserImpl : public torch::nn::Module, public Denoiser {
 public:
  ConvDenoiserImpl(int64_t channels, int64_t num_classes)
      : num_classes_(num_classes) {
    torch::manual_seed(0);
    conv_ = register_module(
        "conv",
        Conv2d(
            torch::nn::Conv2dOptions(channels, channels, 3).padding(1)));
    classes_ = register_module("classes",
                               torch::nn::Embedding(num_classes + 1, channels));
  }

  at::Tensor forward(const at::Tensor& sample, const at::Tensor& timestep,
                     const at::Tensor& class_labels) override {
    auto out = conv_(sample) + 0.001 * timestep.view({-1, 1, 1, 1});
    if (class_labels.defined())
      out = out + classes_(class_labels).unsqueeze(-1).unsqueeze(-1);
    return out.tanh();
  }
  int64_t num_classes() const override { return num_classes_; }
  torch::nn::Module& module() override { return *this; }

 private:
  int64_t num_classes_;
  Conv2d conv_{nullptr};
  torch::nn::Embedding classes_{nullptr};
};

/// Latents [2,h,w] whose channels have means 1 and -1 and deviations 2 and 0.5.
inline LatentSpace toy_space(int64_t h = 4, int64_t w = 4) {
  LatentSpace space;
  space.grid_shape = {2, h, w};
  space.mean = {1, -1};
  space.std = {2, 0.5};
  return space;
}

}  // namespace calotype
