#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/model_folder.h"
#include "vqvae/magvit2_halves.h"
#include "vqvae/quantized_codec.h"
#include "vqvae/quantizer.h"

namespace calotype {

struct Magvit2Config {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<int64_t> block_out_channels{128, 128, 256, 256, 512};
  int64_t layers_per_block = 4;  // of both halves, and of their middles
  std::string act_fn = "silu";
  int64_t latent_channels = 18;  // D, bits of a code: K = 2^D
  int64_t norm_num_groups = 32;
  QuantizerConfig quantizer{.kind = "lfq"};  // no other

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(Magvit2Config& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("out_channels", c.out_channels);
  visit("block_out_channels", c.block_out_channels);
  visit("layers_per_block", c.layers_per_block);
  visit("act_fn", c.act_fn);
  visit("latent_channels", c.latent_channels);
  visit("norm_num_groups", c.norm_num_groups);
  visit("quantizer", c.quantizer);
}

/// The image tokenizer of Open-MAGVIT2 (arXiv:2409.04410), which
/// diffusers has no class for: a code is the signs of its D channels, without a
/// codebook. Ours in its names; its numbers and those of its tokens are the
/// authors', in whose tokens channel i is the bit of 2^i.
class Magvit2Impl : public torch::nn::Module, public QuantizedCodec {
 public:
  static constexpr const char* kClassName = "CalotypeMAGVIT2";

  explicit Magvit2Impl(const Magvit2Config& config);

  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;
  torch::Tensor tokenize(const torch::Tensor& images) override;
  torch::Tensor detokenize(const torch::Tensor& tokens) override;
  CodedImages reconstruct(const torch::Tensor& images,
                          const QuantizerStep* training) override;

  /// Latents [N,D,h,w] to codes of the same shape; see Quantizer::quantize for
  /// the rest. Indices come as [N,1,h,w].
  Quantized quantize(const torch::Tensor& latent,
                     const QuantizerStep* training = nullptr);

  int64_t image_channels() const override { return config_.in_channels; }
  int64_t latent_channels() const override { return config_.latent_channels; }
  int64_t downsample() const override;
  bool has_variance() const override { return false; }
  int64_t num_codes() const override { return quantizer_->num_codes(); }
  int64_t num_levels() const override { return 1; }
  torch::nn::Module& module() override { return *this; }
  std::vector<std::pair<std::string, at::Tensor>> training_state() override {
    return quantizer_->training_state();
  }
  const Magvit2Config& config() const { return config_; }

 private:
  Magvit2Config config_;
  Magvit2Encoder encoder_{nullptr};
  Magvit2Decoder decoder_{nullptr};
  std::shared_ptr<Quantizer> quantizer_;
};
TORCH_MODULE(Magvit2);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
Magvit2 load_magvit2(const ModelFolder& folder);

}  // namespace calotype
