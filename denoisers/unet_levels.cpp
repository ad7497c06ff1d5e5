#include "denoisers/unet_levels.h"

#include <algorithm>
#include <span>

#include "core/error.h"
#include "denoisers/unet_blocks.h"
#include "denoisers/unet_k_blocks.h"
#include "denoisers/unet_skip_blocks.h"

namespace calotype {
namespace {

constexpr const char* kUNetLevels = "UNet2DModel";

enum class Family { kPlain, kResnet, kSkip, kK };

struct BlockType {
  std::string_view name;
  Family family;
  bool attention;
};

constexpr BlockType kDownTypes[] = {
    {"DownBlock2D", Family::kPlain, false},
    {"AttnDownBlock2D", Family::kPlain, true},
    {"ResnetDownsampleBlock2D", Family::kResnet, false},
    {"SkipDownBlock2D", Family::kSkip, false},
    {"AttnSkipDownBlock2D", Family::kSkip, true},
    {"KDownBlock2D", Family::kK, false},
};

constexpr BlockType kUpTypes[] = {
    {"UpBlock2D", Family::kPlain, false},
    {"AttnUpBlock2D", Family::kPlain, true},
    {"ResnetUpsampleBlock2D", Family::kResnet, false},
    {"SkipUpBlock2D", Family::kSkip, false},
    {"AttnSkipUpBlock2D", Family::kSkip, true},
    {"KUpBlock2D", Family::kK, false},
};

BlockType find_type(const char* key, std::span<const BlockType> types,
                    std::string_view name) {
  constexpr std::string_view kOldPrefix = "UNetRes";  // which diffusers drops
  auto plain = name;
  if (plain.starts_with(kOldPrefix)) plain.remove_prefix(kOldPrefix.size());
  std::vector<std::string_view> known;
  for (const auto& type : types) {
    if (type.name == plain) return type;
    known.push_back(type.name);
  }
  throw ConfigError(fmt::format("{}: {} must be one of {}, got {}", kUNetLevels,
                                key, fmt::join(known, ", "), name));
}

BlockType down_type(const UNet2DModelConfig& c, size_t i) {
  return find_type("down_block_types", kDownTypes, c.down_block_types[i]);
}

BlockType up_type(const UNet2DModelConfig& c, size_t i) {
  return find_type("up_block_types", kUpTypes, c.up_block_types[i]);
}

ResnetBlockConfig resnet_config(const UNet2DModelConfig& c, int64_t channels,
                                int64_t embedding_dim) {
  return {.in_channels = channels,
          .out_channels = channels,
          .num_groups = unet_groups(c, channels),
          .eps = c.norm_eps,
          .embedding_dim = embedding_dim,
          .scale_shift = c.resnet_time_scale_shift == "scale_shift",
          .dropout = c.dropout,
          .activation = parse_activation(c.act_fn)};
}

UNetLevelConfig level_config(const UNet2DModelConfig& c, const BlockType& type,
                             int64_t in, int64_t out, int64_t embedding_dim) {
  UNetLevelConfig level;
  level.resnet = resnet_config(c, out, embedding_dim);
  if (type.attention)
    level.attention = {.channels = out,
                       .head_dim = c.attention_head_dim.value_or(out),
                       .num_groups = level.resnet.num_groups,
                       .eps = c.norm_eps};
  level.in_channels = in;
  level.out_channels = out;
  level.num_layers = c.layers_per_block;
  level.downsample_padding = c.downsample_padding;
  return level;
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
          c.attn_norm_num_groups.value_or(scale_shift ? 0 : resnet.num_groups),
      .eps = c.norm_eps,
      .output_scale = c.mid_block_scale_factor};
  return MidBlock(resnet, attention);
}

/// Makes one level after the other and keeps account of what is at hand: x, the
/// skips and the pyramid, of what channels and how often halved.
class Builder {
 public:
  Builder(const UNet2DModelConfig& c, int64_t embedding_dim)
      : c_(c),
        embedding_dim_(embedding_dim),
        channels_(c.block_out_channels.front()),
        skips_{{channels_, 0}} {}

  UNetLevels build() {
    for (size_t i = 0; i < num_levels(); ++i) add_down(i);
    if (c_.mid_block_type) levels_.mid = mid_block(c_, embedding_dim_);
    pyramid_ = kNone;
    for (size_t i = 0; i < num_levels(); ++i) add_up(i);
    if (pyramid_ != kNone && pyramid_ != 0)
      refuse("up_block_types", c_.up_block_types.back(),
             "leaves the picture of the blocks before it small");
    return levels_;
  }

 private:
  struct Skip {
    int64_t channels, depth;
  };
  static constexpr int64_t kNone = -1;

  size_t num_levels() const { return c_.block_out_channels.size(); }

  [[noreturn]] void refuse(const char* key, const std::string& type,
                           const std::string& reason) const {
    throw ConfigError(fmt::format("{}: {}: {} cannot be here, it {}",
                                  kUNetLevels, key, type, reason));
  }

  void add_down(size_t i) {
    const auto type = down_type(c_, i);
    const auto out = c_.block_out_channels[i];
    auto level = level_config(c_, type, channels_, out, embedding_dim_);
    level.resample = i + 1 < num_levels();
    level.resample_by_resnet =
        type.family == Family::kResnet ||
        (type.attention && c_.downsample_type == "resnet");
    level.pyramid_channels = c_.in_channels;
    skips_.insert(skips_.end(), size_t(c_.layers_per_block), {out, depth_});
    if (type.family == Family::kSkip && level.resample && pyramid_++ != depth_)
      refuse("down_block_types", c_.down_block_types[i],
             "needs such blocks, or no halving, before it");
    channels_ = out;
    if (level.resample) {
      ++depth_;
      if (type.family != Family::kK) skips_.push_back({out, depth_});
    }
    if (type.family == Family::kSkip)
      levels_.down->push_back(SkipDownLevel(level));
    else if (type.family == Family::kK)
      levels_.down->push_back(KDownLevel(level));
    else
      levels_.down->push_back(DownLevel(level));
  }

  /// The channels of the next `count` skips.
  std::vector<int64_t> take_skips(size_t i, int64_t count) {
    std::vector<int64_t> taken;
    for (; count > 0; --count) {
      if (skips_.empty() || skips_.back().depth != depth_)
        refuse("up_block_types", c_.up_block_types[i],
               "takes skips that the way down does not leave");
      taken.push_back(skips_.back().channels);
      skips_.pop_back();
    }
    return taken;
  }

  void add_up(size_t i) {
    const auto type = up_type(c_, i);
    const auto last = num_levels() - 1;
    const auto out = c_.block_out_channels[last - i];
    const auto next = c_.block_out_channels[last - std::min(i + 1, last)];
    auto level = level_config(c_, type, channels_, out, embedding_dim_);
    level.resample = i < last;
    level.resample_by_resnet = type.family == Family::kResnet ||
                               (type.attention && c_.upsample_type == "resnet");
    level.pyramid_channels = c_.out_channels;
    if (type.family == Family::kK) {
      const auto taken = take_skips(i, c_.layers_per_block);
      if (channels_ != out || taken.front() != out)
        refuse("up_block_types", c_.up_block_types[i],
               fmt::format("takes {} channels, and a skip of as many", out));
      levels_.up->push_back(KUpLevel(level, next));
    } else {
      const auto taken = take_skips(i, c_.layers_per_block + 1);
      if (type.family == Family::kSkip)
        levels_.up->push_back(SkipUpLevel(level, taken));
      else
        levels_.up->push_back(UpLevel(level, taken));
    }
    if (type.family == Family::kSkip) {
      if (pyramid_ != kNone && pyramid_ != depth_ + 1)
        refuse("up_block_types", c_.up_block_types[i],
               "must follow the other such blocks at once");
      if (pyramid_ != kNone || level.resample) pyramid_ = depth_;
    }
    channels_ = type.family == Family::kK ? next : out;
    if (level.resample) --depth_;
  }

  const UNet2DModelConfig& c_;
  int64_t embedding_dim_;
  int64_t channels_, depth_ = 0, pyramid_ = 0;
  std::vector<Skip> skips_;
  UNetLevels levels_;
};

}  // namespace

void check_unet_block_types(const UNet2DModelConfig& c) {
  bool needs_groups = false;
  for (size_t i = 0; i < c.down_block_types.size(); ++i)
    for (const auto& type : {down_type(c, i), up_type(c, i)})
      needs_groups |=
          type.family == Family::kPlain || type.family == Family::kResnet;
  if (needs_groups && !c.norm_num_groups)
    throw ConfigError(fmt::format(
        "{}: norm_num_groups must be a number, got null, which only Skip and K "
        "blocks can do with",
        kUNetLevels));
}

int64_t unet_groups(const UNet2DModelConfig& c, int64_t channels) {
  return c.norm_num_groups.value_or(skip_block_groups(channels));
}

UNetLevels make_unet_levels(const UNet2DModelConfig& config,
                            int64_t embedding_dim) {
  return Builder(config, embedding_dim).build();
}

}  // namespace calotype
