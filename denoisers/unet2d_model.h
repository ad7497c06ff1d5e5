#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/pimpl.h>

#include <optional>
#include <string>
#include <vector>

#include "denoisers/latent_shape.h"
#include "diffusion/denoiser.h"
#include "nn/batch_invariant.h"
#include "nn/group_norm.h"
#include "nn/mid_block.h"
#include "nn/model_folder.h"
#include "nn/time_embedding.h"

namespace calotype {

/// diffusers' keys, with its defaults.
struct UNet2DModelConfig {
  Json sample_size;  // null, a number or [height, width]; without effect
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  bool center_input_sample = false;
  std::string time_embedding_type =
      "positional";                           // positional, fourier, learned
  std::optional<int64_t> time_embedding_dim;  // 4 * block_out_channels[0]
  double freq_shift = 0;
  bool flip_sin_to_cos = true;
  std::vector<std::string> down_block_types{
      "DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"};
  std::optional<std::string> mid_block_type{"UNetMidBlock2D"};
  std::vector<std::string> up_block_types{"AttnUpBlock2D", "AttnUpBlock2D",
                                          "AttnUpBlock2D", "UpBlock2D"};
  std::vector<int64_t> block_out_channels{224, 448, 672, 896};
  int64_t layers_per_block = 2;
  double mid_block_scale_factor = 1;
  int64_t downsample_padding = 1;
  std::string downsample_type = "conv";  // conv, resnet; of AttnDownBlock2D
  std::string upsample_type = "conv";    // likewise of AttnUpBlock2D
  double dropout = 0;
  std::string act_fn = "silu";
  std::optional<int64_t> attention_head_dim = 8;  // null: one head
  std::optional<int64_t> norm_num_groups = 32;    // null: min(channels/4, 32)
  std::optional<int64_t> attn_norm_num_groups;  // of the mid block's attention
  double norm_eps = 1e-5;
  std::string resnet_time_scale_shift = "default";  // default, scale_shift
  bool add_attention = true;                        // in the mid block
  std::optional<std::string> class_embed_type;      // null, timestep, identity
  std::optional<int64_t> num_class_embeds;
  std::optional<int64_t>
      num_train_timesteps;  // rows of a learned time embedding

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(UNet2DModelConfig& c, Visitor&& visit) {
  visit("sample_size", c.sample_size);
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("center_input_sample", c.center_input_sample);
  visit("time_embedding_type", c.time_embedding_type);
  visit("time_embedding_dim", c.time_embedding_dim);
  visit("freq_shift", c.freq_shift);
  visit("flip_sin_to_cos", c.flip_sin_to_cos);
  visit("down_block_types", c.down_block_types);
  visit("mid_block_type", c.mid_block_type);
  visit("up_block_types", c.up_block_types);
  visit("block_out_channels", c.block_out_channels);
  visit("layers_per_block", c.layers_per_block);
  visit("mid_block_scale_factor", c.mid_block_scale_factor);
  visit("downsample_padding", c.downsample_padding);
  visit("downsample_type", c.downsample_type);
  visit("upsample_type", c.upsample_type);
  visit("dropout", c.dropout);
  visit("act_fn", c.act_fn);
  visit("attention_head_dim", c.attention_head_dim);
  visit("norm_num_groups", c.norm_num_groups);
  visit("attn_norm_num_groups", c.attn_norm_num_groups);
  visit("norm_eps", c.norm_eps);
  visit("resnet_time_scale_shift", c.resnet_time_scale_shift);
  visit("add_attention", c.add_attention);
  visit("class_embed_type", c.class_embed_type);
  visit("num_class_embeds", c.num_class_embeds);
  visit("num_train_timesteps", c.num_train_timesteps);
}

/// The U-Net of DDPM (arXiv:2006.11239, appendix B) as diffusers defines it:
/// the same parameter names, shapes and numbers, of all levels that work there
/// (unet_levels.h). Grids of odd size, which diffusers refuses, come back as
/// they were.
class UNet2DModelImpl : public torch::nn::Module, public Denoiser {
 public:
  static constexpr const char* kClassName = "UNet2DModel";

  explicit UNet2DModelImpl(const UNet2DModelConfig& config);

  /// Sets the keys that latents decide and that are not given.
  static void fit(Json& keys, const LatentShape& latents);

  torch::Tensor forward(const torch::Tensor& sample,
                        const torch::Tensor& timestep,
                        const torch::Tensor& class_labels) override;
  int64_t num_classes() const override;

  /// A learned embedding has rows for 0 to num_train_timesteps - 1 alone, and a
  /// Fourier embedding is of the logarithm.
  bool takes_timesteps(double low, double high) const override;
  torch::nn::Module& module() override { return *this; }
  const UNet2DModelConfig& config() const { return config_; }

 private:
  void add_time_embedding();
  void add_class_embedding();
  torch::Tensor time_features(const torch::Tensor& timestep);
  torch::Tensor embed(const torch::Tensor& timestep,
                      const torch::Tensor& class_labels);

  UNet2DModelConfig config_;
  int64_t embedding_dim_;
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  FourierEmbedding fourier_{nullptr};
  torch::nn::Embedding learned_time_{nullptr}, class_table_{nullptr};
  TimeMlp time_embedding_{nullptr}, class_mlp_{nullptr};
  torch::nn::ModuleList down_blocks_, up_blocks_;
  MidBlock mid_block_{nullptr};
  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(UNet2DModel);

/// Throws ConfigError for a network that no sampler here can ask: one that is
/// told its class as a number or a vector.
void expect_usable(const std::string& where, const UNet2DModelConfig& config);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
UNet2DModel load_unet2d_model(const ModelFolder& folder);

}  // namespace calotype
