#include "vae/autoencoder_kl.h"

#include <torch/torch.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"
#include "vae/gaussian.h"

namespace calotype {
namespace {

ConvCoderConfig coder_config(const AutoencoderKLConfig& c,
                             int64_t image_channels, int64_t latent_channels) {
  return {.image_channels = image_channels,
          .latent_channels = latent_channels,
          .block_channels = c.block_out_channels,
          .layers_per_block = c.layers_per_block,
          .num_groups = c.norm_num_groups,
          .mid_attention = c.mid_block_add_attention,
          .activation = parse_activation(c.act_fn)};
}

void expect_blocks(const std::vector<std::string>& types, const char* key,
                   const char* expected, size_t num_levels) {
  if (types.size() != num_levels)
    throw ConfigError(
        fmt::format("AutoencoderKL: {} must have as many entries as "
                    "block_out_channels, {}, got {}",
                    key, num_levels, types.size()));
  for (const auto& type : types)
    check_one_of("AutoencoderKL", key, type, {expected});
}

}  // namespace

void AutoencoderKLConfig::validate() const {
  constexpr double kMany = 1 << 16;
  check_range("AutoencoderKL", "in_channels", double(in_channels), 1, kMany);
  check_range("AutoencoderKL", "out_channels", double(out_channels), 1, kMany);
  check_range("AutoencoderKL", "latent_channels", double(latent_channels), 1,
              kMany);
  check_range("AutoencoderKL", "layers_per_block", double(layers_per_block), 1,
              64);
  check_range("AutoencoderKL", "number of block_out_channels",
              double(block_out_channels.size()), 1, 16);
  for (const auto channels : block_out_channels)
    check_range("AutoencoderKL", "block_out_channels", double(channels), 1,
                kMany);
  expect_blocks(down_block_types, "down_block_types", "DownEncoderBlock2D",
                block_out_channels.size());
  expect_blocks(up_block_types, "up_block_types", "UpDecoderBlock2D",
                block_out_channels.size());
}

AutoencoderKLImpl::AutoencoderKLImpl(const AutoencoderKLConfig& config)
    : config_(config) {
  config.validate();
  const auto D = config.latent_channels;
  encoder_ = register_module(
      "encoder", Encoder(coder_config(config, config.in_channels, 2 * D)));
  decoder_ = register_module(
      "decoder", Decoder(coder_config(config, config.out_channels, D)));
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
  expect_class(folder, AutoencoderKLImpl::kClassName);
  AutoencoderKLConfig config;
  read_config(folder.config, config, (folder.path / "config.json").string());
  AutoencoderKL model(config);
  load_weights(*model, folder);
  model->eval();
  return model;
}

}  // namespace calotype
