#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "nn/latent_codec.h"
#include "nn/model_folder.h"

namespace calotype {

/// diffusers' keys, with its defaults. Those of Json are a text for all stages
/// or a list with one for each; stages go from the image inwards.
struct AutoencoderDCConfig {
  int64_t in_channels = 3;
  int64_t latent_channels = 32;
  int64_t attention_head_dim = 32;
  Json encoder_block_types = "ResBlock";  // ResBlock, EfficientViTBlock
  Json decoder_block_types = "ResBlock";
  std::vector<int64_t> encoder_block_out_channels{128, 256,  512,
                                                  512, 1024, 1024};
  std::vector<int64_t> decoder_block_out_channels{128, 256,  512,
                                                  512, 1024, 1024};
  std::vector<int64_t> encoder_layers_per_block{2, 2, 2, 3, 3, 3};
  std::vector<int64_t> decoder_layers_per_block{3, 3, 3, 3, 3, 3};
  std::vector<std::vector<int64_t>> encoder_qkv_multiscales{{},  {},  {},
                                                            {5}, {5}, {5}};
  std::vector<std::vector<int64_t>> decoder_qkv_multiscales{{},  {},  {},
                                                            {5}, {5}, {5}};
  std::string upsample_block_type = "pixel_shuffle";      // interpolate
  std::string downsample_block_type = "pixel_unshuffle";  // conv
  Json decoder_norm_types = "rms_norm";                   // batch_norm
  Json decoder_act_fns = "silu";
  bool encoder_out_shortcut = true;
  bool decoder_in_shortcut = true;
  std::string decoder_conv_act_fn = "relu";
  double scaling_factor = 1;  // as AutoencoderKL's

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AutoencoderDCConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("latent_channels", c.latent_channels);
  visit("attention_head_dim", c.attention_head_dim);
  visit("encoder_block_types", c.encoder_block_types);
  visit("decoder_block_types", c.decoder_block_types);
  visit("encoder_block_out_channels", c.encoder_block_out_channels);
  visit("decoder_block_out_channels", c.decoder_block_out_channels);
  visit("encoder_layers_per_block", c.encoder_layers_per_block);
  visit("decoder_layers_per_block", c.decoder_layers_per_block);
  visit("encoder_qkv_multiscales", c.encoder_qkv_multiscales);
  visit("decoder_qkv_multiscales", c.decoder_qkv_multiscales);
  visit("upsample_block_type", c.upsample_block_type);
  visit("downsample_block_type", c.downsample_block_type);
  visit("decoder_norm_types", c.decoder_norm_types);
  visit("decoder_act_fns", c.decoder_act_fns);
  visit("encoder_out_shortcut", c.encoder_out_shortcut);
  visit("decoder_in_shortcut", c.decoder_in_shortcut);
  visit("decoder_conv_act_fn", c.decoder_conv_act_fn);
  visit("scaling_factor", c.scaling_factor);
}

/// The deep compression autoencoder (DC-AE, arXiv:2410.10733) as diffusers
/// defines it, f32 to f128: deterministic, each stage halves the grid.
class AutoencoderDCImpl : public torch::nn::Module, public LatentCodec {
 public:
  static constexpr const char* kClassName = "AutoencoderDC";

  explicit AutoencoderDCImpl(const AutoencoderDCConfig& config);

  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;

  int64_t image_channels() const override { return config_.in_channels; }
  int64_t latent_channels() const override { return config_.latent_channels; }
  int64_t downsample() const override;
  bool has_variance() const override { return false; }
  torch::nn::Module& module() override { return *this; }
  const AutoencoderDCConfig& config() const { return config_; }

 private:
  struct Half;
  static std::shared_ptr<Half> make_encoder(const AutoencoderDCConfig& config);
  static std::shared_ptr<Half> make_decoder(const AutoencoderDCConfig& config);

  AutoencoderDCConfig config_;
  std::shared_ptr<Half> encoder_, decoder_;
};
TORCH_MODULE(AutoencoderDC);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
AutoencoderDC load_autoencoder_dc(const ModelFolder& folder);

}  // namespace calotype
