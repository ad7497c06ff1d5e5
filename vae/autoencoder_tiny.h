#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "nn/latent_codec.h"
#include "nn/model_folder.h"
#include "vae/tiny_layers.h"

namespace calotype {

/// diffusers' keys, with its defaults.
struct AutoencoderTinyConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<int64_t> encoder_block_out_channels{64, 64, 64, 64};
  std::vector<int64_t> decoder_block_out_channels{64, 64, 64, 64};
  std::string act_fn = "relu";
  std::string upsample_fn = "nearest";
  int64_t latent_channels = 4;
  int64_t upsampling_scaling_factor = 2;
  std::vector<int64_t> num_encoder_blocks{1, 3, 3, 3};
  std::vector<int64_t> num_decoder_blocks{3, 3, 3, 1};
  // Of bytes that diffusers can keep latents in; without effect here.
  double latent_magnitude = 3;
  double latent_shift = 0.5;
  bool force_upcast = false;
  double scaling_factor = 1;  // as AutoencoderKL's
  double shift_factor = 0;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AutoencoderTinyConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("encoder_block_out_channels", c.encoder_block_out_channels);
  visit("decoder_block_out_channels", c.decoder_block_out_channels);
  visit("act_fn", c.act_fn);
  visit("upsample_fn", c.upsample_fn);
  visit("latent_channels", c.latent_channels);
  visit("upsampling_scaling_factor", c.upsampling_scaling_factor);
  visit("num_encoder_blocks", c.num_encoder_blocks);
  visit("num_decoder_blocks", c.num_decoder_blocks);
  visit("latent_magnitude", c.latent_magnitude);
  visit("latent_shift", c.latent_shift);
  visit("force_upcast", c.force_upcast);
  visit("scaling_factor", c.scaling_factor);
  visit("shift_factor", c.shift_factor);
}

/// The small autoencoder TAESD (github.com/madebyollin/taesd) as diffusers
/// defines it: the same parameter names, shapes and numbers. It is
/// deterministic, and works on [0,1] inside; latents are held to (-3,3) before
/// they are decoded.
class AutoencoderTinyImpl : public torch::nn::Module, public LatentCodec {
 public:
  static constexpr const char* kClassName = "AutoencoderTiny";

  explicit AutoencoderTinyImpl(const AutoencoderTinyConfig& config);

  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;

  int64_t image_channels() const override { return config_.in_channels; }
  int64_t latent_channels() const override { return config_.latent_channels; }
  int64_t downsample() const override;
  bool has_variance() const override { return false; }
  torch::nn::Module& module() override { return *this; }
  const AutoencoderTinyConfig& config() const { return config_; }

 private:
  AutoencoderTinyConfig config_;
  TinyLayers encoder_{nullptr}, decoder_{nullptr};
};
TORCH_MODULE(AutoencoderTiny);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
AutoencoderTiny load_autoencoder_tiny(const ModelFolder& folder);

}  // namespace calotype
