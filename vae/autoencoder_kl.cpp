#include "vae/autoencoder_kl.h"

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"
#include "nn/sample_size.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

ConvCoderConfig encoder_config(const AutoencoderKLConfig& c) {
  return coder_config(c, c.in_channels, 2 * c.latent_channels,
                      c.down_block_types);
}

ConvCoderConfig decoder_config(const AutoencoderKLConfig& c) {
  return coder_config(c, c.out_channels, c.latent_channels, c.up_block_types);
}

}  // namespace

void AutoencoderKLConfig::validate() const {
  check_sample_size("AutoencoderKL", sample_size);
  validate_encoder("AutoencoderKL", encoder_config(*this));
  validate_decoder("AutoencoderKL", decoder_config(*this));
}

AutoencoderKLImpl::AutoencoderKLImpl(const AutoencoderKLConfig& config)
    : config_(config) {
  config.validate();
  const auto D = config.latent_channels;
  encoder_ = register_module("encoder", Encoder(encoder_config(config)));
  decoder_ = register_module("decoder", Decoder(decoder_config(config)));
  if (config.use_quant_conv)
    quant_conv_ = register_module("quant_conv", conv1x1(2 * D, 2 * D));
  if (config.use_post_quant_conv)
    post_quant_conv_ = register_module("post_quant_conv", conv1x1(D, D));
}

int64_t AutoencoderKLImpl::downsample() const {
  return int64_t{1} << (config_.block_out_channels.size() - 1);
}

LatentGrid AutoencoderKLImpl::encode(const torch::Tensor& images) {
  check_shape("AutoencoderKL", "images", images,
              {-1, config_.in_channels, -1, -1});
  const auto f = downsample();
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(fmt::format(
        "AutoencoderKL: height and width must be multiples of {}, got {}x{}", f,
        images.size(2), images.size(3)));
  auto moments = encoder_(images);
  if (quant_conv_) moments = quant_conv_(moments);
  return split_moments(moments);
}

torch::Tensor AutoencoderKLImpl::decode(const torch::Tensor& latent) {
  check_shape("AutoencoderKL", "latent", latent,
              {-1, config_.latent_channels, -1, -1});
  return decoder_(post_quant_conv_ ? post_quant_conv_(latent) : latent);
}

AutoencoderKL load_autoencoder_kl(const ModelFolder& folder) {
  return load_model<AutoencoderKL, AutoencoderKLConfig>(folder);
}

}  // namespace calotype
