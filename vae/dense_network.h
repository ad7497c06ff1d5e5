#pragma once

#include <vector>

#include "nn/activation.h"
#include "nn/batch_invariant.h"
#include "vae/code_network.h"

namespace calotype {

struct DenseNetworkConfig {
  int64_t image_channels = 1;   // C
  int64_t sample_size = 28;     // H and W
  std::vector<int64_t> hidden;  // widths from the image inwards; none: linear
  int64_t encoder_out = 32;     // K
  int64_t code_channels = 32;   // D
  Activation activation = Activation::kRelu;
  bool tied = false;  // decoder weights are the encoder's, transposed
};

/// Fully connected layers from the pixels to a vector and back, mirrored
/// (Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural
/// Networks", Science 313, 2006). Without hidden layers it is linear, and spans
/// the principal components' subspace when trained on squared errors (Baldi and
/// Hornik, "Neural Networks and Principal Component Analysis", Neural Networks
/// 2, 1989). Parameters: encoder.I.weight, decoder.I.weight, ...; tied decoders
/// have biases alone.
class DenseNetwork : public CodeNetwork {
 public:
  explicit DenseNetwork(const DenseNetworkConfig& config);

  at::Tensor encode(const at::Tensor& images) override;
  at::Tensor decode(const at::Tensor& code) override;
  int64_t downsample() const override { return config_.sample_size; }
  at::Tensor code_directions() override;

  int64_t num_layers() const { return int64_t(encoder_.size()); }

  /// Layer `index` of the encoder, counted from the image, with its activation:
  /// rows [N,in] -> [N,out].
  at::Tensor encode_layer(int64_t index, const at::Tensor& rows);

  /// The decoder's layer that undoes it: [N,out] -> [N,in].
  at::Tensor decode_layer(int64_t index, const at::Tensor& rows);

  /// Weight [K,C*H*W] of the encoder's first layer.
  const at::Tensor& first_weight() const { return encoder_.front()->weight; }

  /// Names of the parameters of layer `index` and of its mirror.
  std::vector<std::string> layer_parameters(int64_t index) const;

 private:
  DenseNetworkConfig config_;
  std::vector<Linear> encoder_;
  std::vector<Linear> decoder_;             // from the code outwards
  std::vector<at::Tensor> decoder_biases_;  // of a tied decoder, the same order
};

}  // namespace calotype
