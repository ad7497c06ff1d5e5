#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <string>
#include <vector>

#include "nn/batch_invariant.h"
#include "nn/encoder_decoder.h"
#include "nn/model_folder.h"
#include "nn/sampling.h"
#include "vqvae/quantized_codec.h"
#include "vqvae/quantizer.h"

namespace calotype {

struct VqVae2Config {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<int64_t> block_out_channels{64, 128};  // down to the bottom grid
  int64_t layers_per_block = 1;
  std::string act_fn = "silu";
  int64_t latent_channels = 16;     // D, of the codes of both levels
  int64_t num_vq_embeddings = 512;  // K, of each of the two codebooks
  int64_t norm_num_groups = 32;
  bool mid_block_add_attention = false;
  QuantizerConfig quantizer;  // of both levels; not residual

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(VqVae2Config& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("block_out_channels", c.block_out_channels);
  visit("layers_per_block", c.layers_per_block);
  visit("act_fn", c.act_fn);
  visit("latent_channels", c.latent_channels);
  visit("num_vq_embeddings", c.num_vq_embeddings);
  visit("norm_num_groups", c.norm_num_groups);
  visit("mid_block_add_attention", c.mid_block_add_attention);
  visit("quantizer", c.quantizer);
}

/// The two-level VQ-VAE-2 (arXiv:1906.00446, section 3.1 and algorithm 1): a
/// top grid of codes for what is large, and a bottom grid of twice its height
/// and width, conditioned on the top one, for what is small. Ours in its names.
///
/// All grids that it puts out have the top's size [h,w]. Five levels of tokens:
/// the top's, then those of the bottom's four cells beneath it, row by row:
/// level 1 + 2y + x. Latents [5D,h,w] likewise: the top's D, then channel
/// D + 4d + 2y + x for the bottom's d.
class VqVae2Impl : public torch::nn::Module, public QuantizedCodec {
 public:
  static constexpr const char* kClassName = "CalotypeVQVAE2";

  explicit VqVae2Impl(const VqVae2Config& config);

  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;
  torch::Tensor tokenize(const torch::Tensor& images) override;
  torch::Tensor detokenize(const torch::Tensor& tokens) override;
  CodedImages reconstruct(const torch::Tensor& images,
                          const QuantizerStep* training) override;

  int64_t image_channels() const override { return config_.in_channels; }
  int64_t latent_channels() const override {
    return 5 * config_.latent_channels;
  }
  int64_t downsample() const override {
    return int64_t{1} << config_.block_out_channels.size();
  }
  bool has_variance() const override { return false; }
  int64_t num_codes() const override { return config_.num_vq_embeddings; }
  int64_t num_levels() const override { return 5; }
  std::vector<int64_t> codebooks() const override { return {0, 1, 1, 1, 1}; }
  torch::nn::Module& module() override { return *this; }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override;
  const VqVae2Config& config() const { return config_; }

 private:
  /// Both grids before and after they were quantized.
  struct Levels {
    torch::Tensor top_latent, bottom_latent;  // [N,D,h,w], [N,D,2h,2w]
    Quantized top, bottom;
  };

  Levels encode_levels(const torch::Tensor& images,
                       const QuantizerStep* training);
  torch::Tensor decode_codes(const torch::Tensor& top,
                             const torch::Tensor& bottom);

  VqVae2Config config_;
  Encoder bottom_encoder_{nullptr}, top_encoder_{nullptr};
  Decoder top_decoder_{nullptr}, decoder_{nullptr};
  Conv2d bottom_conv_{nullptr};
  Upsample top_upsample_{nullptr};
  std::shared_ptr<Quantizer> top_quantizer_, bottom_quantizer_;
};
TORCH_MODULE(VqVae2);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
VqVae2 load_vqvae2(const ModelFolder& folder);

}  // namespace calotype
