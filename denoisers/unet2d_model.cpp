#include "denoisers/unet2d_model.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "denoisers/unet_blocks.h"
#include "denoisers/unet_levels.h"
#include "nn/group_norm.h"
#include "nn/sample_size.h"

namespace calotype {
namespace {

constexpr const char* kUNet = "UNet2DModel";

}  // namespace

void UNet2DModelConfig::validate() const {
  constexpr double kMany = 1 << 16;
  const auto levels = block_out_channels.size();
  check_sample_size(kUNet, sample_size);
  check_range(kUNet, "in_channels", double(in_channels), 1, kMany);
  check_range(kUNet, "out_channels", double(out_channels), 1, kMany);
  check_range(kUNet, "number of block_out_channels", double(levels), 1, 16);
  check_range(kUNet, "layers_per_block", double(layers_per_block), 1, 64);
  for (const auto channels : block_out_channels)
    check_range(kUNet, "block_out_channels", double(channels), 1, kMany);
  for (const auto* types : {&down_block_types, &up_block_types})
    if (types->size() != levels)
      throw ConfigError(
          fmt::format("{}: block types must have as many entries as "
                      "block_out_channels, {}, got {}",
                      kUNet, levels, types->size()));
  check_unet_block_types(*this);
  if (mid_block_type)
    check_one_of(kUNet, "mid_block_type", *mid_block_type, {"UNetMidBlock2D"});
  check_one_of(kUNet, "time_embedding_type", time_embedding_type,
               {"positional", "fourier", "learned"});
  check_one_of(kUNet, "resnet_time_scale_shift", resnet_time_scale_shift,
               {"default", "scale_shift"});
  check_one_of(kUNet, "downsample_type", downsample_type, {"conv", "resnet"});
  check_one_of(kUNet, "upsample_type", upsample_type, {"conv", "resnet"});
  check_range(kUNet, "dropout", dropout, 0, 1);
  if (class_embed_type)
    check_one_of(kUNet, "class_embed_type", *class_embed_type,
                 {"timestep", "identity"});
  if (time_embedding_type == "learned" && !num_train_timesteps)
    throw ConfigError(
        "UNet2DModel: a learned time embedding needs num_train_timesteps");
}

UNet2DModelImpl::UNet2DModelImpl(const UNet2DModelConfig& config)
    : config_(config), embedding_dim_(0) {
  config.validate();
  const auto first = config.block_out_channels.front();
  embedding_dim_ = config.time_embedding_dim.value_or(4 * first);
  conv_in_ = register_module("conv_in", conv3x3(config.in_channels, first));
  add_time_embedding();
  add_class_embedding();
  const auto levels = make_unet_levels(config, embedding_dim_);
  down_blocks_ = register_module("down_blocks", levels.down);
  if (levels.mid) mid_block_ = register_module("mid_block", levels.mid);
  up_blocks_ = register_module("up_blocks", levels.up);
  conv_norm_out_ = register_module(
      "conv_norm_out",
      group_norm(unet_groups(config, first), first, config.norm_eps));
  conv_out_ = register_module("conv_out", conv3x3(first, config.out_channels));
}

void UNet2DModelImpl::add_time_embedding() {
  const auto first = config_.block_out_channels.front();
  auto feature_dim = first;
  if (config_.time_embedding_type == "fourier") {
    fourier_ = register_module("time_proj", FourierEmbedding(first));
    feature_dim = 2 * first;
  } else if (config_.time_embedding_type == "learned") {
    learned_time_ = register_module(
        "time_proj", torch::nn::Embedding(*config_.num_train_timesteps, first));
  }
  time_embedding_ =
      register_module("time_embedding",
                      TimeMlp(feature_dim, embedding_dim_, Activation::kSilu));
}

void UNet2DModelImpl::add_class_embedding() {
  if (config_.class_embed_type == "timestep") {
    const auto in = time_embedding_->parameters()[0].size(1);
    class_mlp_ = register_module(
        "class_embedding", TimeMlp(in, embedding_dim_, Activation::kSilu));
  } else if (!config_.class_embed_type && config_.num_class_embeds) {
    class_table_ = register_module(
        "class_embedding",
        torch::nn::Embedding(*config_.num_class_embeds, embedding_dim_));
  }
}

int64_t UNet2DModelImpl::num_classes() const {
  return class_table_ ? std::max<int64_t>(*config_.num_class_embeds - 1, 0) : 0;
}

bool UNet2DModelImpl::takes_timesteps(double low, double high) const {
  if (learned_time_)
    return low >= 0 && high <= double(*config_.num_train_timesteps - 1);
  return !fourier_ || low > 0;
}

torch::Tensor UNet2DModelImpl::time_features(const torch::Tensor& timestep) {
  if (fourier_) return fourier_(timestep);
  if (learned_time_) return learned_time_(timestep.to(torch::kLong));
  return sinusoidal_embedding(timestep, config_.block_out_channels.front(),
                              config_.flip_sin_to_cos, config_.freq_shift);
}

torch::Tensor UNet2DModelImpl::embed(const torch::Tensor& timestep,
                                     const torch::Tensor& class_labels) {
  const auto type = conv_in_->weight.scalar_type();
  auto embedding = time_embedding_(time_features(timestep).to(type));
  const bool conditional =
      class_table_ || class_mlp_ || config_.class_embed_type;
  if (conditional != class_labels.defined())
    throw ShapeError(fmt::format("UNet2DModel: class_labels must {} given",
                                 conditional ? "be" : "not be"));
  if (class_table_) return embedding + class_table_(class_labels);
  if (class_mlp_)
    return embedding + class_mlp_(time_features(class_labels).to(type));
  return conditional ? embedding + class_labels.to(type) : embedding;
}

torch::Tensor UNet2DModelImpl::forward(const torch::Tensor& sample,
                                       const torch::Tensor& timestep,
                                       const torch::Tensor& class_labels) {
  check_shape(kUNet, "sample", sample, {-1, config_.in_channels, -1, -1});
  check_shape(kUNet, "timestep", timestep, {sample.size(0)});
  const auto input = config_.center_input_sample ? 2 * sample - 1 : sample;
  UNetState state{.x = conv_in_(input),
                  .embedding = embed(timestep, class_labels),
                  .pyramid = input};
  state.skips = {state.x};
  for (const auto& level : *down_blocks_)
    level->as<UNetLevel>()->forward(state);
  if (mid_block_) state.x = mid_block_(state.x, state.embedding);
  state.pyramid = torch::Tensor();
  for (const auto& level : *up_blocks_) level->as<UNetLevel>()->forward(state);
  // diffusers' last activation is SiLU whatever act_fn says.
  auto x = conv_out_(norm_silu(conv_norm_out_, state.x));
  if (state.pyramid.defined()) x = x + state.pyramid;
  if (!fourier_) return x;
  return x / timestep.to(x.scalar_type()).view({-1, 1, 1, 1});
}

void UNet2DModelImpl::fit(Json& keys, const LatentShape& latents) {
  fit_channels(keys, latents);
  set_default(keys, "sample_size", latents.grid_shape[1]);
  if (latents.num_classes > 0)
    set_default(keys, "num_class_embeds",
                latents.num_classes + 1);  // the last: no class
}

void expect_usable(const std::string& where, const UNet2DModelConfig& config) {
  if (config.class_embed_type)
    throw ConfigError(fmt::format(
        "{}: class_embed_type must be null, got \"{}\": such a network is "
        "told its class as a number or a vector, which nothing here knows how "
        "to choose",
        where, *config.class_embed_type));
}

UNet2DModel load_unet2d_model(const ModelFolder& folder) {
  return load_model<UNet2DModel, UNet2DModelConfig>(folder);
}

}  // namespace calotype
