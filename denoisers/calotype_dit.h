#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/pimpl.h>

#include "denoisers/latent_shape.h"
#include "denoisers/time_class_embedding.h"
#include "diffusion/denoiser.h"
#include "nn/batch_invariant.h"
#include "nn/model_folder.h"

namespace calotype {

struct CalotypeDiTConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  int64_t patch_size = 2;     // edge of the square that is one token
  int64_t hidden_size = 384;  // W, channels of a token
  int64_t num_layers = 12;
  int64_t num_attention_heads = 6;  // W / heads is a multiple of 4
  double mlp_ratio = 4;      // of an MLP of two maps with as many parameters
  int64_t num_classes = 0;   // 0: without labels
  double rotary_base = 100;  // of axial frequencies in arXiv:2403.13298
  double norm_eps = 1e-6;

  /// Channels of each half of SwiGLU: 2/3 mlp_ratio W (arXiv:2002.05202,
  /// section 3), up to the next multiple of 8.
  int64_t mlp_hidden() const;
  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(CalotypeDiTConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("patch_size", c.patch_size);
  visit("hidden_size", c.hidden_size);
  visit("num_layers", c.num_layers);
  visit("num_attention_heads", c.num_attention_heads);
  visit("mlp_ratio", c.mlp_ratio);
  visit("num_classes", c.num_classes);
  visit("rotary_base", c.rotary_base);
  visit("norm_eps", c.norm_eps);
}

/// A diffusion transformer (DiT, arXiv:2212.09748) of later parts: RMS norms,
/// rotary positions over rows and columns, SwiGLU, normalised queries and keys,
/// and one embedding of time and class for all blocks. Takes grids of any size
/// that patch_size divides. A new model answers 0.
class CalotypeDiTImpl : public torch::nn::Module, public Denoiser {
 public:
  static constexpr const char* kClassName = "CalotypeDiT";

  explicit CalotypeDiTImpl(const CalotypeDiTConfig& config);

  /// Sets the keys that latents decide and that are not given.
  static void fit(Json& keys, const LatentShape& latents);

  /// Returns [N,out_channels,h,w]. Throws ConfigError unless patch_size divides
  /// h and w.
  torch::Tensor forward(const torch::Tensor& sample,
                        const torch::Tensor& timestep,
                        const torch::Tensor& class_labels) override;
  int64_t num_classes() const override { return config_.num_classes; }
  torch::nn::Module& module() override { return *this; }
  const CalotypeDiTConfig& config() const { return config_; }

 private:
  CalotypeDiTConfig config_;
  Conv2d patch_embed_{nullptr};
  TimeClassEmbedding condition_{nullptr};
  torch::nn::ModuleList blocks_;
  Linear modulation_out_{nullptr}, proj_out_{nullptr};
};
TORCH_MODULE(CalotypeDiT);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
CalotypeDiT load_calotype_dit(const ModelFolder& folder);

}  // namespace calotype
