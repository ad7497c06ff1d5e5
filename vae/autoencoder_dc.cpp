#include "vae/autoencoder_dc.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <functional>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "nn/batch_invariant.h"
#include "nn/sliced.h"
#include "vae/dc_layers.h"

namespace calotype {
namespace {

constexpr const char* kDc = "AutoencoderDC";
constexpr double kMostChannels = 1 << 16;

/// `value` of each of `count` stages.
std::vector<std::string> spread(const char* key, const Json& value,
                                size_t count) {
  if (value.is_string())
    return std::vector<std::string>(count, value.get<std::string>());
  std::vector<std::string> list;
  read_config(value, list, fmt::format("{}: {}", kDc, key));
  if (list.size() != count)
    throw ConfigError(
        fmt::format("{}: {} must have an entry for each of {} "
                    "stages, got {}",
                    kDc, key, count, list.size()));
  return list;
}

template <class T>
void expect_count(const char* key, const std::vector<T>& list, size_t count) {
  if (list.size() != count)
    throw ConfigError(
        fmt::format("{}: {} must have an entry for each of {} stages, got {}",
                    kDc, key, count, list.size()));
}

std::vector<DcStage> stages_of(const char* half, const AutoencoderDCConfig& c,
                               const std::vector<int64_t>& channels,
                               const std::vector<int64_t>& layers,
                               const std::vector<std::vector<int64_t>>& scales,
                               const Json& types) {
  const auto key = [&](const char* name) {
    return fmt::format("{}_{}", half, name);
  };
  const auto count = channels.size();
  expect_count(key("layers_per_block").c_str(), layers, count);
  expect_count(key("qkv_multiscales").c_str(), scales, count);
  const auto type = spread(key("block_types").c_str(), types, count);
  std::vector<DcStage> list;
  for (size_t i = 0; i < count; ++i) {
    check_one_of(kDc, key("block_types"), type[i],
                 {"ResBlock", "EfficientViTBlock"});
    check_range(kDc, key("block_out_channels"), double(channels[i]), 1,
                kMostChannels);
    // The first convolution halves the grid where the first stage is empty.
    check_range(kDc, key("layers_per_block"), double(layers[i]), i > 0, 1024);
    for (const auto kernel : scales[i])
      check_range(kDc, key("qkv_multiscales"), double(kernel), 1, 63);
    list.push_back({.block_type = type[i],
                    .channels = channels[i],
                    .num_layers = layers[i],
                    .multiscales = scales[i],
                    .head_channels = c.attention_head_dim});
    if (type[i] != "ResBlock" && channels[i] < c.attention_head_dim)
      throw ConfigError(fmt::format(
          "{}: {} must be at least attention_head_dim, {}, for attention; got "
          "{}",
          kDc, key("block_out_channels"), c.attention_head_dim, channels[i]));
  }
  return list;
}

std::vector<DcStage> encoder_stages(const AutoencoderDCConfig& c) {
  return stages_of("encoder", c, c.encoder_block_out_channels,
                   c.encoder_layers_per_block, c.encoder_qkv_multiscales,
                   c.encoder_block_types);
}

std::vector<DcStage> decoder_stages(const AutoencoderDCConfig& c) {
  auto list = stages_of("decoder", c, c.decoder_block_out_channels,
                        c.decoder_layers_per_block, c.decoder_qkv_multiscales,
                        c.decoder_block_types);
  const auto norms =
      spread("decoder_norm_types", c.decoder_norm_types, list.size());
  const auto activations =
      spread("decoder_act_fns", c.decoder_act_fns, list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    check_one_of(kDc, "decoder_norm_types", norms[i],
                 {"rms_norm", "batch_norm"});
    list[i].norm = norms[i];
    list[i].activation = parse_activation(activations[i], "decoder_act_fns");
  }
  return list;
}

/// Of a shortcut, whose channels are means or repetitions of those before.
void expect_divides(const char* key, int64_t number, int64_t by) {
  if (number % by != 0)
    throw ConfigError(fmt::format(
        "{}: {}: a shortcut makes {} channels of {}, which does not divide",
        kDc, key, by, number));
}

void check_shortcuts(const char* key, const std::vector<int64_t>& channels) {
  for (size_t i = 0; i + 1 < channels.size(); ++i) {
    const auto [near, far] = std::pair(channels[i], channels[i + 1]);
    expect_divides(key, 4 * near, far);
    if (far % 4 != 0)
      throw ConfigError(
          fmt::format("{}: {} must be multiples of 4, got {}", kDc, key, far));
  }
}

Conv2d conv3x3_of(int64_t in, int64_t out) {
  return Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1));
}

/// First stage that is not empty.
size_t first_of(const std::vector<DcStage>& stages) {
  return stages[0].num_layers > 0 ? 0 : 1;
}

}  // namespace

/// Either half: layers in a row, named as diffusers names them.
struct AutoencoderDCImpl::Half : torch::nn::Module {
  std::vector<std::function<at::Tensor(const at::Tensor&)>> row;

  at::Tensor forward(const at::Tensor& x) {
    return in_slices(*this, {x}, [this](const std::vector<at::Tensor>& inputs) {
      auto y = inputs[0];
      for (const auto& layer : row) y = layer(y);
      return y;
    });
  }

  void add(torch::nn::Module& owner, const std::string& name,
           const std::shared_ptr<DcLayer>& layer) {
    row.push_back([layer](const at::Tensor& x) { return layer->forward(x); });
    owner.register_module(name, layer);
  }

  void add_conv(const std::string& name, int64_t in, int64_t out) {
    const auto layer = register_module(name, conv3x3_of(in, out));
    row.push_back([layer](const at::Tensor& x) { return layer->forward(x); });
  }

  /// The last layer also gives what `shortcut` makes of its input.
  void add_to_last(std::function<at::Tensor(const at::Tensor&)> shortcut) {
    row.back() = [layer = row.back(), shortcut = std::move(shortcut)](
                     const at::Tensor& x) { return layer(x) + shortcut(x); };
  }
};

namespace {

/// A list of stages, each a list of layers.
std::vector<std::shared_ptr<torch::nn::Module>> register_stages(
    torch::nn::Module& owner, const char* name, size_t count) {
  const auto list =
      owner.register_module(name, std::make_shared<torch::nn::Module>());
  std::vector<std::shared_ptr<torch::nn::Module>> stages;
  for (size_t i = 0; i < count; ++i)
    stages.push_back(list->register_module(
        std::to_string(i), std::make_shared<torch::nn::Module>()));
  return stages;
}

}  // namespace

void AutoencoderDCConfig::validate() const {
  check_range(kDc, "in_channels", double(in_channels), 1, kMostChannels);
  check_range(kDc, "latent_channels", double(latent_channels), 1,
              kMostChannels);
  check_range(kDc, "attention_head_dim", double(attention_head_dim), 1,
              kMostChannels);
  check_range(kDc, "number of encoder_block_out_channels",
              double(encoder_block_out_channels.size()), 2, 16);
  expect_count("decoder_block_out_channels", decoder_block_out_channels,
               encoder_block_out_channels.size());
  check_one_of(kDc, "upsample_block_type", upsample_block_type,
               {"pixel_shuffle", "interpolate"});
  check_one_of(kDc, "downsample_block_type", downsample_block_type,
               {"pixel_unshuffle", "conv"});
  parse_activation(decoder_conv_act_fn, "decoder_conv_act_fn");
  encoder_stages(*this);
  decoder_stages(*this);
  check_shortcuts("encoder_block_out_channels", encoder_block_out_channels);
  check_shortcuts("decoder_block_out_channels", decoder_block_out_channels);
  if (encoder_out_shortcut)
    expect_divides("encoder_block_out_channels",
                   encoder_block_out_channels.back(), latent_channels);
  if (decoder_in_shortcut)
    expect_divides("decoder_block_out_channels",
                   decoder_block_out_channels.back(), latent_channels);
}

std::shared_ptr<AutoencoderDCImpl::Half> AutoencoderDCImpl::make_encoder(
    const AutoencoderDCConfig& config) {
  const auto stages = encoder_stages(config);
  const auto first = first_of(stages);
  const bool unshuffles = config.downsample_block_type == "pixel_unshuffle";
  auto half = std::make_shared<Half>();
  if (first == 0)
    half->add_conv("conv_in", config.in_channels, stages[0].channels);
  else
    half->add(*half, "conv_in",
              dc_down(config.in_channels, stages[1].channels, unshuffles,
                      /*has_shortcut=*/false));
  const auto lists = register_stages(*half, "down_blocks", stages.size());
  for (size_t i = first; i < stages.size(); ++i) {
    int64_t place = 0;
    for (; place < stages[i].num_layers; ++place)
      half->add(*lists[i], std::to_string(place), dc_block(stages[i]));
    if (i + 1 < stages.size())
      half->add(*lists[i], std::to_string(place),
                dc_down(stages[i].channels, stages[i + 1].channels, unshuffles,
                        /*has_shortcut=*/true));
  }
  const auto width = stages.back().channels;
  half->add_conv("conv_out", width, config.latent_channels);
  if (config.encoder_out_shortcut)
    half->add_to_last(
        [group = width / config.latent_channels](const at::Tensor& x) {
          return x.unflatten(1, {-1, group}).mean(2);
        });
  return half;
}

std::shared_ptr<AutoencoderDCImpl::Half> AutoencoderDCImpl::make_decoder(
    const AutoencoderDCConfig& config) {
  const auto stages = decoder_stages(config);
  const auto first = first_of(stages);
  const bool interpolates = config.upsample_block_type == "interpolate";
  auto half = std::make_shared<Half>();
  half->add_conv("conv_in", config.latent_channels, stages.back().channels);
  if (config.decoder_in_shortcut)
    half->add_to_last([repeats = stages.back().channels /
                                 config.latent_channels](const at::Tensor& x) {
      return x.repeat_interleave(repeats, 1);
    });
  const auto lists = register_stages(*half, "up_blocks", stages.size());
  for (size_t i = stages.size(); i-- > first;) {
    int64_t place = 0;
    if (i + 1 < stages.size())
      half->add(*lists[i], std::to_string(place++),
                dc_up(stages[i + 1].channels, stages[i].channels, interpolates,
                      /*has_shortcut=*/true));
    for (int64_t layer = 0; layer < stages[i].num_layers; ++layer)
      half->add(*lists[i], std::to_string(place++), dc_block(stages[i]));
  }
  const auto width = stages[first].channels;
  half->add(*half, "norm_out", dc_norm("rms_norm", width));
  half->row.push_back(
      [activation = parse_activation(config.decoder_conv_act_fn)](
          const at::Tensor& x) { return activate(activation, x); });
  if (first == 0)
    half->add_conv("conv_out", width, config.in_channels);
  else
    half->add(*half, "conv_out",
              dc_up(width, config.in_channels, interpolates,
                    /*has_shortcut=*/false));
  return half;
}

AutoencoderDCImpl::AutoencoderDCImpl(const AutoencoderDCConfig& config)
    : config_(config) {
  config.validate();
  encoder_ = register_module("encoder", make_encoder(config));
  decoder_ = register_module("decoder", make_decoder(config));
}

int64_t AutoencoderDCImpl::downsample() const {
  return int64_t{1} << (config_.encoder_block_out_channels.size() - 1);
}

LatentGrid AutoencoderDCImpl::encode(const torch::Tensor& images) {
  check_shape(kDc, "images", images, {-1, config_.in_channels, -1, -1});
  const auto f = downsample();
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(
        fmt::format("{}: height and width must be multiples of {}, got {}x{}",
                    kDc, f, images.size(2), images.size(3)));
  return {.mean = encoder_->forward(images)};
}

torch::Tensor AutoencoderDCImpl::decode(const torch::Tensor& latent) {
  check_shape(kDc, "latent", latent, {-1, config_.latent_channels, -1, -1});
  return decoder_->forward(latent);
}

AutoencoderDC load_autoencoder_dc(const ModelFolder& folder) {
  return load_model<AutoencoderDC, AutoencoderDCConfig>(folder);
}

}  // namespace calotype
