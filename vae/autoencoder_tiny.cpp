#include "vae/autoencoder_tiny.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/batch_invariant.h"

namespace calotype {
namespace {

constexpr const char* kTiny = "AutoencoderTiny";
constexpr double kMany = 1 << 16;

/// The layers of one half have one width each: what halves or doubles the grid
/// keeps the number of channels (EncoderTiny, DecoderTiny).
void check_half(const char* channels_key, const std::vector<int64_t>& channels,
                const char* blocks_key, const std::vector<int64_t>& blocks) {
  check_range(kTiny, std::string("number of ") + blocks_key,
              double(blocks.size()), 1, 16);
  if (channels.size() != blocks.size())
    throw ConfigError(
        fmt::format("{}: {} must have as many entries as {}, {}, got {}", kTiny,
                    channels_key, blocks_key, blocks.size(), channels.size()));
  for (const auto count : blocks)
    check_range(kTiny, blocks_key, double(count), 0, 1024);
  for (const auto width : channels) {
    check_range(kTiny, channels_key, double(width), 1, kMany);
    if (width != channels.front())
      throw ConfigError(
          fmt::format("{}: {} must be one number, repeated; got {} and {}",
                      kTiny, channels_key, channels.front(), width));
  }
}

int64_t power(int64_t base, size_t exponent) {
  int64_t result = 1;
  for (size_t i = 0; i < exponent; ++i) result *= base;
  return result;
}

TinyLayers encoder_of(const AutoencoderTinyConfig& c) {
  TinyLayers layers(parse_activation(c.act_fn));
  for (size_t i = 0; i < c.num_encoder_blocks.size(); ++i) {
    const auto width = c.encoder_block_out_channels[i];
    if (i == 0)
      layers->add_conv({.in = c.in_channels, .out = width});
    else
      layers->add_conv({.in = width, .out = width, .stride = 2, .bias = false});
    for (int64_t block = 0; block < c.num_encoder_blocks[i]; ++block)
      layers->add_block(width);
  }
  layers->add_conv(
      {.in = c.encoder_block_out_channels.back(), .out = c.latent_channels});
  return layers;
}

TinyLayers decoder_of(const AutoencoderTinyConfig& c) {
  TinyLayers layers(parse_activation(c.act_fn));
  layers->add_conv(
      {.in = c.latent_channels, .out = c.decoder_block_out_channels.front()});
  layers->add_activation();
  for (size_t i = 0; i < c.num_decoder_blocks.size(); ++i) {
    const auto width = c.decoder_block_out_channels[i];
    for (int64_t block = 0; block < c.num_decoder_blocks[i]; ++block)
      layers->add_block(width);
    const bool is_last = i + 1 == c.num_decoder_blocks.size();
    if (!is_last) layers->add_upsampling(c.upsampling_scaling_factor);
    layers->add_conv({.in = width,
                      .out = is_last ? c.out_channels : width,
                      .bias = is_last});
  }
  return layers;
}

}  // namespace

void AutoencoderTinyConfig::validate() const {
  check_range(kTiny, "in_channels", double(in_channels), 1, kMany);
  check_range(kTiny, "out_channels", double(out_channels), 1, kMany);
  check_range(kTiny, "latent_channels", double(latent_channels), 1, kMany);
  check_half("encoder_block_out_channels", encoder_block_out_channels,
             "num_encoder_blocks", num_encoder_blocks);
  check_half("decoder_block_out_channels", decoder_block_out_channels,
             "num_decoder_blocks", num_decoder_blocks);
  check_one_of(kTiny, "upsample_fn", upsample_fn, {"nearest"});
  parse_activation(act_fn);
  check_range(kTiny, "upsampling_scaling_factor",
              double(upsampling_scaling_factor), 1, 16);
  const auto down = power(2, num_encoder_blocks.size() - 1);
  const auto up =
      power(upsampling_scaling_factor, num_decoder_blocks.size() - 1);
  if (down != up)
    throw ConfigError(fmt::format(
        "{}: images must come back as large as they were, but the encoder "
        "makes them {} times smaller and the decoder {} times larger",
        kTiny, down, up));
}

AutoencoderTinyImpl::AutoencoderTinyImpl(const AutoencoderTinyConfig& config)
    : config_(config) {
  config.validate();
  encoder_ = register_module("encoder", encoder_of(config));
  decoder_ = register_module("decoder", decoder_of(config));
}

int64_t AutoencoderTinyImpl::downsample() const {
  return power(2, config_.num_encoder_blocks.size() - 1);
}

LatentGrid AutoencoderTinyImpl::encode(const torch::Tensor& images) {
  check_shape(kTiny, "images", images, {-1, config_.in_channels, -1, -1});
  const auto f = downsample();
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(
        fmt::format("{}: height and width must be multiples of {}, got {}x{}",
                    kTiny, f, images.size(2), images.size(3)));
  return {.mean = encoder_(images.add(1).div(2))};
}

torch::Tensor AutoencoderTinyImpl::decode(const torch::Tensor& latent) {
  check_shape(kTiny, "latent", latent, {-1, config_.latent_channels, -1, -1});
  const auto held = invariant_map(latent / 3, torch::tanh) * 3;
  return decoder_(held).mul(2).sub(1);
}

AutoencoderTiny load_autoencoder_tiny(const ModelFolder& folder) {
  // diffusers writes decoder_block_out_channels under this name once more.
  auto tiny = folder;
  tiny.config.erase("block_out_channels");
  return load_model<AutoencoderTiny, AutoencoderTinyConfig>(tiny);
}

}  // namespace calotype
