#pragma once

#include <torch/nn/pimpl.h>

#include <string>
#include <vector>

#include "core/config.h"
#include "nn/model_folder.h"
#include "vae/kl_codec.h"

namespace calotype {

/// diffusers' keys, with its defaults.
struct AsymmetricAutoencoderKLConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<std::string> down_block_types{"DownEncoderBlock2D"};
  std::vector<int64_t> down_block_out_channels{64};
  int64_t layers_per_down_block = 1;
  std::vector<std::string> up_block_types{"UpDecoderBlock2D"};
  std::vector<int64_t> up_block_out_channels{64};  // from the image inwards
  int64_t layers_per_up_block = 1;
  std::string act_fn = "silu";
  int64_t latent_channels = 4;
  int64_t norm_num_groups = 32;
  Json sample_size = 32;  // null, a number or [height, width]; no effect
  double scaling_factor = 0.18215;  // as AutoencoderKL's
  bool force_upcast = false;

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(AsymmetricAutoencoderKLConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("down_block_types", c.down_block_types);
  visit("down_block_out_channels", c.down_block_out_channels);
  visit("layers_per_down_block", c.layers_per_down_block);
  visit("up_block_types", c.up_block_types);
  visit("up_block_out_channels", c.up_block_out_channels);
  visit("layers_per_up_block", c.layers_per_up_block);
  visit("act_fn", c.act_fn);
  visit("latent_channels", c.latent_channels);
  visit("norm_num_groups", c.norm_num_groups);
  visit("sample_size", c.sample_size);
  visit("scaling_factor", c.scaling_factor);
  visit("force_upcast", c.force_upcast);
}

/// AutoencoderKL with a decoder of another width and depth (arXiv:2306.04632)
/// as diffusers defines it. What decodes beside a masked image, the decoder's
/// condition_encoder, has no use here: its weights are kept as they are, and
/// nothing trains them.
class AsymmetricAutoencoderKLImpl : public KlCodecImpl {
 public:
  static constexpr const char* kClassName = "AsymmetricAutoencoderKL";

  explicit AsymmetricAutoencoderKLImpl(
      const AsymmetricAutoencoderKLConfig& config);

  const AsymmetricAutoencoderKLConfig& config() const { return config_; }

 private:
  AsymmetricAutoencoderKLConfig config_;
};
TORCH_MODULE(AsymmetricAutoencoderKL);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
AsymmetricAutoencoderKL load_asymmetric_autoencoder_kl(
    const ModelFolder& folder);

}  // namespace calotype
