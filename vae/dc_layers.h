#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/activation.h"

// The layers of deep compression autoencoders (arXiv:2410.10733) as diffusers
// names them. All take and give [N,C,H,W].
namespace calotype {

class DcLayer : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x) = 0;
};

/// What a stage is made of.
struct DcStage {
  std::string block_type = "ResBlock";  // or EfficientViTBlock
  int64_t channels = 0;
  int64_t num_layers = 0;
  std::vector<int64_t> multiscales;  // EfficientViTBlock: edges of kernels
  std::string norm = "rms_norm";     // rms_norm, batch_norm
  Activation activation = Activation::kSilu;
  int64_t head_channels = 32;
};

/// Over channels by its root mean square with a weight and a bias, or by the
/// running statistics of a batch_norm, which are as they were found: nothing
/// here moves them.
std::shared_ptr<DcLayer> dc_norm(const std::string& norm, int64_t channels);

/// ResBlock or EfficientViTBlock, whose attention is linear in the number of
/// cells above head_channels of them and quadratic below, as there.
std::shared_ptr<DcLayer> dc_block(const DcStage& stage);

/// Halves the grid by a convolution, of stride 2 or with its answer's channels
/// unshuffled; a shortcut adds means of the channels of each 2x2 cells.
std::shared_ptr<DcLayer> dc_down(int64_t in, int64_t out, bool unshuffles,
                                 bool has_shortcut);

/// Doubles it by a convolution, after nearest neighbours or with its answer's
/// channels shuffled; a shortcut adds the channels, repeated and shuffled.
std::shared_ptr<DcLayer> dc_up(int64_t in, int64_t out, bool interpolates,
                               bool has_shortcut);

}  // namespace calotype
