#pragma once

#include <torch/nn/module.h>

#include "nn/batch_invariant.h"
#include "nn/encoder_decoder.h"
#include "nn/latent_codec.h"

namespace calotype {

/// What the classes of convolutional VAEs have in common (arXiv:2112.10752,
/// section 3.1): two halves, with diffusers' names, and a convolution of 1x1
/// behind and before the latents.
class KlCodecImpl : public torch::nn::Module, public LatentCodec {
 public:
  LatentGrid encode(const torch::Tensor& images) override;
  torch::Tensor decode(const torch::Tensor& latent) override;

  int64_t image_channels() const override { return image_channels_; }
  int64_t latent_channels() const override { return latent_channels_; }
  int64_t downsample() const override { return downsample_; }
  bool has_variance() const override { return true; }
  torch::nn::Module& module() override { return *this; }

 protected:
  /// `name`: of the class, for messages. Both halves have as many levels;
  /// expect_equal_levels says so where they do not.
  KlCodecImpl(const char* name, const ConvCoderConfig& encoder,
              const ConvCoderConfig& decoder, bool quant_conv = true,
              bool post_quant_conv = true);

  Decoder& decoder() { return decoder_; }

 private:
  const char* name_;
  int64_t image_channels_, latent_channels_, downsample_;
  Encoder encoder_{nullptr};
  Decoder decoder_{nullptr};
  Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
};

/// Throws ConfigError unless the decoder doubles the grid as often as the
/// encoder halves it; the keys are those of their channels.
void expect_equal_levels(const char* name, const char* encoder_key,
                         const ConvCoderConfig& encoder,
                         const char* decoder_key,
                         const ConvCoderConfig& decoder);

}  // namespace calotype
