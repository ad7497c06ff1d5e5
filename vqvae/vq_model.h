#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/batch_invariant.h"
#include "nn/encoder_decoder.h"
#include "nn/model_folder.h"
#include "vqvae/quantized_codec.h"
#include "vqvae/quantizer.h"

namespace calotype {

/// diffusers' keys, with its defaults, and the quantizer, which is ours.
struct VQModelConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<std::string> down_block_types{"DownEncoderBlock2D"};
  std::vector<std::string> up_block_types{"UpDecoderBlock2D"};
  std::vector<int64_t> block_out_channels{64};
  int64_t layers_per_block = 1;
  std::string act_fn = "silu";
  int64_t latent_channels = 3;
  Json sample_size = 32;  // null, a number or [height, width]; no effect
  int64_t num_vq_embeddings = 256;  // K
  int64_t norm_num_groups = 32;
  std::optional<int64_t> vq_embed_dim;  // absent: latent_channels
  double scaling_factor = 0.18215;
  std::string norm_type = "group";  // group, spatial
  bool mid_block_add_attention = true;
  bool lookup_from_codebook = false;
  bool force_upcast = false;
  QuantizerConfig quantizer{.kind = "learned"};

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(VQModelConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("down_block_types", c.down_block_types);
  visit("up_block_types", c.up_block_types);
  visit("block_out_channels", c.block_out_channels);
  visit("layers_per_block", c.layers_per_block);
  visit("act_fn", c.act_fn);
  visit("latent_channels", c.latent_channels);
  visit("sample_size", c.sample_size);
  visit("num_vq_embeddings", c.num_vq_embeddings);
  visit("norm_num_groups", c.norm_num_groups);
  visit("vq_embed_dim", c.vq_embed_dim);
  visit("scaling_factor", c.scaling_factor);
  visit("norm_type", c.norm_type);
  visit("mid_block_add_attention", c.mid_block_add_attention);
  visit("lookup_from_codebook", c.lookup_from_codebook);
  visit("force_upcast", c.force_upcast);
  visit("quantizer", c.quantizer);
}

/// The convolutional VQ-VAE (arXiv:1711.00937; arXiv:2112.10752, section 3.1)
/// as diffusers' VQModel defines it: the same parameter names, shapes, padding
/// and numbers, with any of our quantizers in the middle. Its latents are what
/// is quantized, so that a diffusion model may learn them; decode() quantizes
/// first.
class VQModelImpl : public torch::nn::Module, public QuantizedCodec {
 public:
  static constexpr const char* kClassName = "VQModel";

  explicit VQModelImpl(const VQModelConfig& config);

  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;
  torch::Tensor tokenize(const torch::Tensor& images) override;
  torch::Tensor detokenize(const torch::Tensor& tokens) override;

  CodedImages reconstruct(const torch::Tensor& images,
                          const QuantizerStep* training) override;

  /// Latents [N,D,h,w] to codes of the same shape; see Quantizer::quantize for
  /// the rest. Indices come as [N,L,h,w].
  Quantized quantize(const torch::Tensor& latent,
                     const QuantizerStep* training = nullptr);

  /// Codes [N,D,h,w] to images.
  torch::Tensor decode_codes(const torch::Tensor& codes);

  int64_t image_channels() const override { return config_.in_channels; }
  int64_t latent_channels() const override;
  int64_t downsample() const override;
  bool has_variance() const override { return false; }
  int64_t num_codes() const override { return quantizer_->num_codes(); }
  int64_t num_levels() const override { return quantizer_->num_levels(); }
  torch::nn::Module& module() override { return *this; }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override {
    return quantizer_->training_state();
  }
  const VQModelConfig& config() const { return config_; }

 private:
  VQModelConfig config_;
  Encoder encoder_{nullptr};
  Decoder decoder_{nullptr};
  Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
  std::shared_ptr<Quantizer> quantizer_;
};
TORCH_MODULE(VQModel);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
VQModel load_vq_model(const ModelFolder& folder);

}  // namespace calotype
