#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "nn/activation.h"
#include "nn/batch_invariant.h"

namespace calotype {

/// A convolution of 3x3 for a row of layers.
struct TinyConv {
  int64_t in = 0, out = 0;
  int64_t stride = 1;
  bool bias = true;
};

/// Layers one after the other, named by their places below `layers`: diffusers'
/// EncoderTiny and DecoderTiny. Layers without parameters have a place, too.
class TinyLayersImpl : public torch::nn::Module {
 public:
  explicit TinyLayersImpl(Activation activation);

  void add_conv(const TinyConv& conv);

  /// Three convolutions and what went in, then ReLU: AutoencoderTinyBlock.
  void add_block(int64_t channels);
  void add_activation();

  /// Nearest neighbours, to `factor` times the edges.
  void add_upsampling(int64_t factor);

  /// [N,C,H,W], slice by slice of its batch (nn/sliced.h).
  torch::Tensor forward(const torch::Tensor& x);

 private:
  using Layer = std::function<torch::Tensor(const torch::Tensor&)>;

  Activation activation_;
  std::shared_ptr<torch::nn::Module> modules_;
  std::vector<Layer> layers_;
};
TORCH_MODULE(TinyLayers);

}  // namespace calotype
