#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include <optional>
#include <string>

#include "denoisers/latent_shape.h"
#include "diffusion/denoiser.h"
#include "nn/batch_invariant.h"
#include "nn/model_folder.h"

namespace calotype {

/// diffusers' keys, with its defaults.
struct DiTTransformer2DModelConfig {
  int64_t num_attention_heads = 16;
  int64_t attention_head_dim = 72;  // the width W is heads times this
  int64_t in_channels = 4;
  std::optional<int64_t> out_channels;  // null: in_channels
  int64_t num_layers = 28;
  double dropout = 0;
  int64_t norm_num_groups = 32;  // without effect, as there
  bool attention_bias = true;
  int64_t sample_size = 32;  // edge of the grids that it was trained for
  int64_t patch_size = 2;    // edge of the square that is one token
  std::string activation_fn = "gelu-approximate";     // check_feed_forward
  std::optional<int64_t> num_embeds_ada_norm = 1000;  // classes; 0: none
  bool upcast_attention = false;  // without effect: scores are in float
  std::string norm_type = "ada_norm_zero";
  bool norm_elementwise_affine = false;
  double norm_eps = 1e-5;
  // A key of ours: frequencies of the time are 10000^(-i / (128 - freq_shift)).
  // diffusers has 1; the weights of the paper's authors were trained with 0.
  double freq_shift = 1;

  int64_t width() const { return num_attention_heads * attention_head_dim; }
  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(DiTTransformer2DModelConfig& c, Visitor&& visit) {
  visit("num_attention_heads", c.num_attention_heads);
  visit("attention_head_dim", c.attention_head_dim);
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("num_layers", c.num_layers);
  visit("dropout", c.dropout);
  visit("norm_num_groups", c.norm_num_groups);
  visit("attention_bias", c.attention_bias);
  visit("sample_size", c.sample_size);
  visit("patch_size", c.patch_size);
  visit("activation_fn", c.activation_fn);
  visit("num_embeds_ada_norm", c.num_embeds_ada_norm);
  visit("upcast_attention", c.upcast_attention);
  visit("norm_type", c.norm_type);
  visit("norm_elementwise_affine", c.norm_elementwise_affine);
  visit("norm_eps", c.norm_eps);
  visit("freq_shift", c.freq_shift);
}

/// The diffusion transformer DiT (arXiv:2212.09748) as diffusers defines it:
/// the same parameter names, shapes and numbers; the first values are the
/// paper's (a new model answers 0). Positions of a grid that is not
/// sample_size are stretched onto those of one that is, as diffusers does; here
/// a grid need not be square. In training diffusers hides labels in here;
/// we leave that to the objective (ObjectiveConfig::label_dropout).
class DiTTransformer2DModelImpl : public torch::nn::Module, public Denoiser {
 public:
  static constexpr const char* kClassName = "DiTTransformer2DModel";
  // In files of before diffusers 0.30, facebook/DiT-XL-2-256 among them.
  static constexpr const char* kFormerClassName = "Transformer2DModel";

  explicit DiTTransformer2DModelImpl(const DiTTransformer2DModelConfig& config);

  /// Sets the keys that latents decide and that are not given.
  static void fit(Json& keys, const LatentShape& latents);

  /// Returns [N,out_channels,h,w]. Throws ConfigError unless patch_size divides
  /// h and w.
  torch::Tensor forward(const torch::Tensor& sample,
                        const torch::Tensor& timestep,
                        const torch::Tensor& class_labels) override;
  int64_t num_classes() const override { return *config_.num_embeds_ada_norm; }
  torch::nn::Module& module() override { return *this; }
  const DiTTransformer2DModelConfig& config() const { return config_; }

 private:
  torch::Tensor positions(int64_t h, int64_t w,
                          const torch::TensorOptions& options);

  DiTTransformer2DModelConfig config_;
  Conv2d proj_{nullptr};
  torch::nn::ModuleList transformer_blocks_;
  Linear proj_out_1_{nullptr}, proj_out_2_{nullptr};
};
TORCH_MODULE(DiTTransformer2DModel);

/// Reads a model folder, also one of the former class. Throws ConfigError for
/// another class or keys that no DiT has, DataError for weights that do not
/// fit.
DiTTransformer2DModel load_dit_transformer2d_model(const ModelFolder& folder);

}  // namespace calotype
