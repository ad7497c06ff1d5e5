#include "diffusion/unet2d_model.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

constexpr const char* kWhere = "UNet2DModel";

bool has_attention(const std::string& block_type) {
  return block_type.rfind("Attn", 0) == 0;
}

ResnetBlockConfig resnet_config(const UNet2DModelConfig& c, int64_t channels,
                                int64_t embedding_dim) {
  return {.in_channels = channels,
          .out_channels = channels,
          .num_groups = c.norm_num_groups,
          .eps = c.norm_eps,
          .embedding_dim = embedding_dim,
          .scale_shift = c.resnet_time_scale_shift == "scale_shift",
          .dropout = c.dropout,
          .activation = parse_activation(c.act_fn)};
}

UNetLevelConfig level_config(const UNet2DModelConfig& c,
                             const std::string& block_type, int64_t in,
                             int64_t out, int64_t embedding_dim) {
  const bool attention = has_attention(block_type);
  return {.resnet = resnet_config(c, out, embedding_dim),
          .attention = {.channels = attention ? out : 0,
                        .head_dim = c.attention_head_dim.value_or(out),
                        .num_groups = c.norm_num_groups,
                        .eps = c.norm_eps},
          .in_channels = in,
          .out_channels = out,
          .num_layers = c.layers_per_block,
          .downsample_padding = c.downsample_padding};
}

MidBlock mid_block(const UNet2DModelConfig& c, int64_t embedding_dim) {
  const auto channels = c.block_out_channels.back();
  auto resnet = resnet_config(c, channels, embedding_dim);
  resnet.output_scale = c.mid_block_scale_factor;
  const bool scale_shift = c.resnet_time_scale_shift == "scale_shift";
  const AttentionConfig attention{
      .channels = c.add_attention ? channels : 0,
      .head_dim = c.attention_head_dim.value_or(channels),
      .num_groups =
          c.attn_norm_num_groups.value_or(scale_shift ? 0 : c.norm_num_groups),
      .eps = c.norm_eps,
      .output_scale = c.mid_block_scale_factor};
  return MidBlock(resnet, attention);
}

}  // namespace

void UNet2DModelConfig::validate() const {
  constexpr double kMany = 1 << 16;
  const auto levels = block_out_channels.size();
  check_range(kWhere, "in_channels", double(in_channels), 1, kMany);
  check_range(kWhere, "out_channels", double(out_channels), 1, kMany);
  check_range(kWhere, "number of block_out_channels", double(levels), 1, 16);
  check_range(kWhere, "layers_per_block", double(layers_per_block), 1, 64);
  for (const auto channels : block_out_channels)
    check_range(kWhere, "block_out_channels", double(channels), 1, kMany);
  for (const auto* types : {&down_block_types, &up_block_types})
    if (types->size() != levels)
      throw ConfigError(
          fmt::format("{}: block types must have as many entries as "
                      "block_out_channels, {}, got {}",
                      kWhere, levels, types->size()));
  for (const auto& type : down_block_types)
    check_one_of(kWhere, "down_block_types", type,
                 {"DownBlock2D", "AttnDownBlock2D"});
  for (const auto& type : up_block_types)
    check_one_of(kWhere, "up_block_types", type,
                 {"UpBlock2D", "AttnUpBlock2D"});
  if (mid_block_type)
    check_one_of(kWhere, "mid_block_type", *mid_block_type, {"UNetMidBlock2D"});
  check_one_of(kWhere, "time_embedding_type", time_embedding_type,
               {"positional", "fourier", "learned"});
  check_one_of(kWhere, "resnet_time_scale_shift", resnet_time_scale_shift,
               {"default", "scale_shift"});
  check_one_of(kWhere, "downsample_type", downsample_type, {"conv", "resnet"});
  check_one_of(kWhere, "upsample_type", upsample_type, {"conv", "resnet"});
  check_range(kWhere, "dropout", dropout, 0, 1);
  if (class_embed_type)
    check_one_of(kWhere, "class_embed_type", *class_embed_type,
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
  add_levels();
  conv_norm_out_ = register_module(
      "conv_norm_out",
      group_norm(config.norm_num_groups, first, config.norm_eps));
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
  time_embedding_ = register_module(
      "time_embedding",
      TimeMlp(feature_dim, embedding_dim_, parse_activation(config_.act_fn)));
}

void UNet2DModelImpl::add_class_embedding() {
  if (config_.class_embed_type == "timestep") {
    const auto in = time_embedding_->parameters()[0].size(1);
    class_mlp_ = register_module(
        "class_embedding",
        TimeMlp(in, embedding_dim_, parse_activation(config_.act_fn)));
  } else if (!config_.class_embed_type && config_.num_class_embeds) {
    class_table_ = register_module(
        "class_embedding",
        torch::nn::Embedding(*config_.num_class_embeds, embedding_dim_));
  }
}

void UNet2DModelImpl::add_levels() {
  const auto& channels = config_.block_out_channels;
  const auto num_levels = channels.size();

  std::vector<int64_t> skips{
      channels.front()};  // channels, in the order of the way down
  for (size_t i = 0; i < num_levels; ++i) {
    const bool last = i + 1 == num_levels;
    auto level =
        level_config(config_, config_.down_block_types[i],
                     channels[i == 0 ? 0 : i - 1], channels[i], embedding_dim_);
    level.resample = !last;
    level.resample_by_resnet =
        level.attention.channels > 0 && config_.downsample_type == "resnet";
    down_blocks_->push_back(DownLevel(level));
    skips.insert(skips.end(), size_t(level.num_layers) + (last ? 0 : 1),
                 channels[i]);
  }
  register_module("down_blocks", down_blocks_);

  if (config_.mid_block_type)
    mid_block_ =
        register_module("mid_block", mid_block(config_, embedding_dim_));

  auto in = channels.back();
  for (size_t i = 0; i < num_levels; ++i) {
    const auto out = channels[num_levels - 1 - i];
    auto level = level_config(config_, config_.up_block_types[i], in, out,
                              embedding_dim_);
    level.resample = i + 1 < num_levels;
    level.resample_by_resnet =
        level.attention.channels > 0 && config_.upsample_type == "resnet";
    const auto num_skips = level.num_layers + 1;
    const std::vector<int64_t> taken(skips.rbegin(),
                                     skips.rbegin() + num_skips);
    skips.resize(skips.size() - size_t(num_skips));
    up_blocks_->push_back(UpLevel(level, taken));
    in = out;
  }
  register_module("up_blocks", up_blocks_);
}

int64_t UNet2DModelImpl::num_classes() const {
  return class_table_ ? std::max<int64_t>(*config_.num_class_embeds - 1, 0) : 0;
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
  check_shape(kWhere, "sample", sample, {-1, config_.in_channels, -1, -1});
  check_shape(kWhere, "timestep", timestep, {sample.size(0)});
  const auto embedding = embed(timestep, class_labels);
  auto x = conv_in_(config_.center_input_sample ? 2 * sample - 1 : sample);
  std::vector<torch::Tensor> skips{x};
  for (const auto& level : *down_blocks_)
    x = level->as<DownLevel>()->forward(x, embedding, skips);
  if (mid_block_) x = mid_block_(x, embedding);
  for (const auto& level : *up_blocks_)
    x = level->as<UpLevel>()->forward(x, embedding, skips);
  x = conv_out_(
      norm_activate(conv_norm_out_, parse_activation(config_.act_fn), x));
  if (!fourier_) return x;
  return x / timestep.to(x.scalar_type()).view({-1, 1, 1, 1});
}

UNet2DModel load_unet2d_model(const ModelFolder& folder) {
  return load_model<UNet2DModel, UNet2DModelConfig>(folder);
}

}  // namespace calotype
