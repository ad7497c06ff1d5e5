#pragma once

#include <torch/nn/pimpl.h>

#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "nn/model_folder.h"
#include "vae/kl_codec.h"

namespace calotype {

/// diffusers' keys, with its defaults, and one of ours.
struct AutoencoderKLConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<std::string> down_block_types{"DownEncoderBlock2D"};
  std::vector<std::string> up_block_types{"UpDecoderBlock2D"};
  std::vector<int64_t> block_out_channels{64};
  int64_t layers_per_block = 1;
  std::string act_fn = "silu";
  int64_t latent_channels = 4;
  int64_t norm_num_groups = 32;
  Json sample_size = 32;  // null, a number or [height, width]; no effect
  double scaling_factor =
      0.18215;  // a latent diffusion model sees (z - shift) * scale
  std::optional<double> shift_factor;
  std::optional<std::vector<double>>
      latents_mean;  // [D]; what the store measured
  std::optional<std::vector<double>> latents_std;
  bool force_upcast = true;
  bool use_quant_conv = true;
  bool use_post_quant_conv = true;
  bool mid_block_add_attention = true;
  // Of the decoder, from the image inwards; absent: block_out_channels. Not
  // diffusers', which has AsymmetricAutoencoderKL for it.
  std::optional<std::vector<int64_t>> decoder_block_out_channels;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AutoencoderKLConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("down_block_types", c.down_block_types);
  visit("up_block_types", c.up_block_types);
  visit("block_out_channels", c.block_out_channels);
  visit("layers_per_block", c.layers_per_block);
  visit("act_fn", c.act_fn);
  visit("latent_channels", c.latent_channels);
  visit("norm_num_groups", c.norm_num_groups);
  visit("sample_size", c.sample_size);
  visit("scaling_factor", c.scaling_factor);
  visit("shift_factor", c.shift_factor);
  visit("latents_mean", c.latents_mean);
  visit("latents_std", c.latents_std);
  visit("force_upcast", c.force_upcast);
  visit("use_quant_conv", c.use_quant_conv);
  visit("use_post_quant_conv", c.use_post_quant_conv);
  visit("mid_block_add_attention", c.mid_block_add_attention);
  visit("decoder_block_out_channels", c.decoder_block_out_channels);
}

/// The convolutional VAE of latent diffusion (arXiv:2112.10752, section 3.1) as
/// diffusers defines it: the same parameter names, shapes, padding and numbers.
/// H and W must be multiples of downsample(); the levels halve the grid between
/// blocks.
class AutoencoderKLImpl : public KlCodecImpl {
 public:
  static constexpr const char* kClassName = "AutoencoderKL";

  explicit AutoencoderKLImpl(const AutoencoderKLConfig& config);

  const AutoencoderKLConfig& config() const { return config_; }

 private:
  AutoencoderKLConfig config_;
};
TORCH_MODULE(AutoencoderKL);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
AutoencoderKL load_autoencoder_kl(const ModelFolder& folder);

}  // namespace calotype
