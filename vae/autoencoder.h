#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "nn/latent_codec.h"
#include "nn/model_folder.h"
#include "vae/code_network.h"
#include "vae/reconstruction.h"

namespace calotype {

struct CalotypeAutoencoderConfig {
  std::string network = "dense";     // dense, conv, masked
  int64_t in_channels = 1;           // C
  int64_t sample_size = 28;          // H and W
  std::vector<int64_t> hidden{256};  // dense: widths; conv: channels of levels
  int64_t latent_channels = 32;      // D, numbers of the code (of each cell)
  std::string act_fn = "relu";       // after every hidden layer
  std::string code_act_fn = "none";  // after the code: none, relu, sigmoid, ...
  bool tied = false;                 // dense: decoder is the encoder transposed
  bool code_grid = false;            // conv: a code per cell of the last level
  bool variational = false;          // the encoder gives a Gaussian
  // mse, l1, bce, charbonnier, gaussian: see reconstruction.h
  std::string reconstruction = "mse";
  // Of the masked network alone.
  int64_t patch_size = 4;
  int64_t width = 96;
  int64_t num_layers = 4;
  int64_t num_attention_heads = 4;
  int64_t decoder_width = 64;
  int64_t decoder_layers = 2;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(CalotypeAutoencoderConfig& c, Visitor&& visit) {
  visit("network", c.network);
  visit("in_channels", c.in_channels);
  visit("sample_size", c.sample_size);
  visit("hidden", c.hidden);
  visit("latent_channels", c.latent_channels);
  visit("act_fn", c.act_fn);
  visit("code_act_fn", c.code_act_fn);
  visit("tied", c.tied);
  visit("code_grid", c.code_grid);
  visit("variational", c.variational);
  visit("reconstruction", c.reconstruction);
  visit("patch_size", c.patch_size);
  visit("width", c.width);
  visit("num_layers", c.num_layers);
  visit("num_attention_heads", c.num_attention_heads);
  visit("decoder_width", c.decoder_width);
  visit("decoder_layers", c.decoder_layers);
}

/// The autoencoder family: one codec, told apart by its network, its code and
/// what the loss asks for (autoencoder_training.h). docs/autoencoders.md says
/// when to reach for which.
class CalotypeAutoencoderImpl : public torch::nn::Module, public LatentCodec {
 public:
  static constexpr const char* kClassName = "CalotypeAutoencoder";
  static constexpr bool kHasPrior = true;  // standard normal codes

  explicit CalotypeAutoencoderImpl(const CalotypeAutoencoderConfig& config);

  /// A log-variance is there if the config is variational.
  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;

  /// decode() before it becomes an image: logits for bce.
  torch::Tensor decode_raw(const torch::Tensor& latent);

  int64_t image_channels() const override { return config_.in_channels; }
  int64_t latent_channels() const override { return config_.latent_channels; }
  int64_t downsample() const override { return network_->downsample(); }
  bool has_variance() const override { return config_.variational; }
  std::optional<int64_t> fixed_size() const override;
  std::optional<int64_t> prior_size() const override {
    return config_.sample_size;
  }
  torch::nn::Module& module() override { return *this; }

  const CalotypeAutoencoderConfig& config() const { return config_; }

  /// What config.json says besides to other readers: {"_noise_model": ...}.
  Json notes() const;
  Reconstruction reconstruction() const { return reconstruction_; }
  CodeNetwork& network() { return *network_; }

  /// Of the image's scale [-1,1]; a trained scalar for gaussian, else
  /// undefined.
  torch::Tensor log_variance() const { return log_variance_; }

  /// Code numbers per image: D h w.
  int64_t code_size() const;

 private:
  CalotypeAutoencoderConfig config_;
  Reconstruction reconstruction_;
  std::shared_ptr<CodeNetwork> network_;
  torch::Tensor log_variance_;
};
TORCH_MODULE(CalotypeAutoencoder);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
CalotypeAutoencoder load_calotype_autoencoder(const ModelFolder& folder);

}  // namespace calotype
