#include "vae/asymmetric_autoencoder_kl.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <algorithm>
#include <memory>

#include "nn/activation.h"
#include "nn/sample_size.h"

namespace calotype {
namespace {

constexpr const char* kAsymmetric = AsymmetricAutoencoderKLImpl::kClassName;

using Config = AsymmetricAutoencoderKLConfig;

/// What both halves share.
ConvCoderConfig shared_half(const Config& c) {
  return {.num_groups = c.norm_num_groups,
          .activation = parse_activation(c.act_fn)};
}

ConvCoderConfig encoder_config(const Config& c) {
  auto encoder = shared_half(c);
  encoder.image_channels = c.in_channels;
  encoder.latent_channels = 2 * c.latent_channels;
  encoder.block_channels = c.down_block_out_channels;
  encoder.layers_per_block = c.layers_per_down_block;
  encoder.block_types = c.down_block_types;
  return encoder;
}

ConvCoderConfig decoder_config(const Config& c) {
  auto decoder = shared_half(c);
  decoder.image_channels = c.out_channels;
  decoder.latent_channels = c.latent_channels;
  decoder.block_channels = c.up_block_out_channels;
  decoder.layers_per_block = c.layers_per_up_block;
  decoder.block_types = c.up_block_types;
  return decoder;
}

const Config& validated(const Config& config) {
  config.validate();
  return config;
}

/// diffusers' MaskConditionEncoder, of which nothing but the weights is there.
std::shared_ptr<torch::nn::Module> condition_encoder(const Config& c) {
  constexpr int kDoublings = 4;  // of channels; the grid is halved thrice
  const auto widest = c.up_block_out_channels.back();
  auto width = c.up_block_out_channels.front();
  auto in = c.out_channels;
  torch::nn::ModuleList layers;
  for (int i = 0; i <= kDoublings; ++i) {
    const auto out = i == kDoublings ? widest : std::min(width, widest);
    layers->push_back(torch::nn::Conv2d(
        torch::nn::Conv2dOptions(in, out, /*kernel_size=*/i < 2 ? 3 : 4)));
    in = out;
    width *= 2;
  }
  auto encoder = std::make_shared<torch::nn::Module>();
  encoder->register_module("layers", layers);
  for (auto& parameter : encoder->parameters())
    parameter.set_requires_grad(false);
  return encoder;
}

}  // namespace

void AsymmetricAutoencoderKLConfig::validate() const {
  check_sample_size(kAsymmetric, sample_size);
  validate_encoder(kAsymmetric, encoder_config(*this));
  expect_equal_levels(kAsymmetric, "down_block_out_channels",
                      encoder_config(*this), "up_block_out_channels",
                      decoder_config(*this));
  validate_decoder(kAsymmetric, decoder_config(*this));
}

AsymmetricAutoencoderKLImpl::AsymmetricAutoencoderKLImpl(const Config& config)
    : KlCodecImpl(kAsymmetric, encoder_config(validated(config)),
                  decoder_config(config)),
      config_(config) {
  decoder()->register_module("condition_encoder", condition_encoder(config));
}

AsymmetricAutoencoderKL load_asymmetric_autoencoder_kl(
    const ModelFolder& folder) {
  // diffusers writes up_block_out_channels under this name once more.
  auto asymmetric = folder;
  asymmetric.config.erase("block_out_channels");
  return load_model<AsymmetricAutoencoderKL, Config>(asymmetric);
}

}  // namespace calotype
