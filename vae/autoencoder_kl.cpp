#include "vae/autoencoder_kl.h"

#include "nn/sample_size.h"

namespace calotype {
namespace {

ConvCoderConfig encoder_config(const AutoencoderKLConfig& c) {
  return coder_config(c, c.in_channels, 2 * c.latent_channels,
                      c.down_block_types);
}

ConvCoderConfig decoder_config(const AutoencoderKLConfig& c) {
  auto decoder =
      coder_config(c, c.out_channels, c.latent_channels, c.up_block_types);
  if (c.decoder_block_out_channels)
    decoder.block_channels = *c.decoder_block_out_channels;
  return decoder;
}

const AutoencoderKLConfig& validated(const AutoencoderKLConfig& config) {
  config.validate();
  return config;
}

}  // namespace

void AutoencoderKLConfig::validate() const {
  check_sample_size("AutoencoderKL", sample_size);
  validate_encoder("AutoencoderKL", encoder_config(*this));
  expect_equal_levels("AutoencoderKL", "block_out_channels",
                      encoder_config(*this), "decoder_block_out_channels",
                      decoder_config(*this));
  validate_decoder("AutoencoderKL", decoder_config(*this));
}

AutoencoderKLImpl::AutoencoderKLImpl(const AutoencoderKLConfig& config)
    : KlCodecImpl(kClassName, encoder_config(validated(config)),
                  decoder_config(config), config.use_quant_conv,
                  config.use_post_quant_conv),
      config_(config) {}

AutoencoderKL load_autoencoder_kl(const ModelFolder& folder) {
  return load_model<AutoencoderKL, AutoencoderKLConfig>(folder);
}

}  // namespace calotype
