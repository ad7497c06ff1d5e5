#pragma once

#include <torch/nn/modules/conv.h>

#include <vector>

#include "nn/activation.h"
#include "nn/batch_invariant.h"
#include "vae/code_network.h"

namespace calotype {

struct ConvNetworkConfig {
  int64_t image_channels = 1;   // C
  int64_t sample_size = 28;     // H and W of a vector code; any for a grid
  std::vector<int64_t> hidden;  // channels of each level; each halves the grid
  int64_t encoder_out = 32;     // K
  int64_t code_channels = 32;   // D
  Activation activation = Activation::kRelu;
  bool code_grid = false;  // a code per cell of the innermost grid, no vector
};

/// Convolutions of stride 2 down, transposed ones up, and between them one
/// linear layer to a vector, or to each cell of the grid. Parameters:
/// encoder.conv_I, encoder.code, decoder.code, decoder.conv_I,
/// decoder.conv_out.
class ConvNetwork : public CodeNetwork {
 public:
  explicit ConvNetwork(const ConvNetworkConfig& config);

  at::Tensor encode(const at::Tensor& images) override;
  at::Tensor decode(const at::Tensor& code) override;
  int64_t downsample() const override;
  at::Tensor code_directions() override;

 private:
  int64_t grid_size() const;  // edge of the innermost grid

  ConvNetworkConfig config_;
  std::vector<Conv2d> down_;
  std::vector<torch::nn::ConvTranspose2d> up_;
  Conv2d to_code_{nullptr}, conv_out_{nullptr};
  torch::nn::ConvTranspose2d from_code_{nullptr};
};

}  // namespace calotype
