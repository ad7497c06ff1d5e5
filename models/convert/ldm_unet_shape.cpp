#include "models/convert/ldm_unet_shape.h"

#include <fmt/format.h>

#include "core/error.h"

namespace calotype {
namespace {

bool is_block(const SourcePart& part, const std::string& prefix) {
  return part.has(prefix + "0.in_layers.2.weight");
}

UnetBlock block_at(const SourcePart& part, const std::string& prefix) {
  return {.prefix = prefix, .has_attention = part.has(prefix + "1.qkv.weight")};
}

int64_t width_of(const SourcePart& part, const UnetBlock& block) {
  return part.size(block.prefix + "0.in_layers.2.weight", 0);
}

/// input_blocks: a convolution, then blocks, and between levels one that
/// halves.
std::vector<UnetLevel> way_down(const SourcePart& part, size_t& num_entries) {
  std::vector<UnetLevel> levels(1);
  for (num_entries = 1;; ++num_entries) {
    const auto prefix = fmt::format("input_blocks.{}.", num_entries);
    if (part.has(prefix + "0.op.weight")) {
      levels.back().resampling = prefix + "0.op";
      levels.emplace_back();
    } else if (is_block(part, prefix)) {
      levels.back().blocks.push_back(block_at(part, prefix));
    } else {
      return levels;
    }
  }
}

/// output_blocks: blocks, the last one of a level with a convolution that
/// doubles behind it.
std::vector<UnetLevel> way_up(const SourcePart& part, size_t& num_entries) {
  std::vector<UnetLevel> levels(1);
  for (num_entries = 0;; ++num_entries) {
    const auto prefix = fmt::format("output_blocks.{}.", num_entries);
    if (!is_block(part, prefix)) {
      if (levels.back().blocks.empty()) levels.pop_back();
      return levels;
    }
    levels.back().blocks.push_back(block_at(part, prefix));
    const auto resampling =
        prefix + (levels.back().blocks.back().has_attention ? "2" : "1") +
        ".conv";
    if (part.has(resampling + ".weight")) {
      levels.back().resampling = resampling;
      levels.emplace_back();
    }
  }
}

/// What a level of UNet2DModel must be: attention behind all blocks or none,
/// and one width.
void check_levels(const ConvertContext& context, const SourcePart& part,
                  std::vector<UnetLevel>& levels, size_t num_blocks) {
  for (auto& level : levels) {
    if (level.blocks.size() != num_blocks)
      refuse_variant(context, fmt::format("with {} blocks on a level, expected "
                                          "{}",
                                          level.blocks.size(), num_blocks));
    level.width = width_of(part, level.blocks.front());
    for (const auto& block : level.blocks) {
      if (block.has_attention != level.blocks.front().has_attention)
        refuse_variant(context,
                       "with attention behind some blocks of a level alone");
      if (width_of(part, block) != level.width)
        refuse_variant(context, "with blocks of several widths on a level");
      part.expect_shape(block.prefix + "0.out_layers.3.weight",
                        {level.width, level.width, 3, 3});
    }
  }
}

}  // namespace

UnetShape read_unet_shape(const ConvertContext& context,
                          const SourcePart& part) {
  size_t num_in = 0, num_out = 0;
  UnetShape shape{.down = way_down(part, num_in), .up = way_up(part, num_out)};
  const auto num_blocks = shape.down.front().blocks.size();
  if (num_blocks == 0 || !part.has("middle_block.0.in_layers.2.weight"))
    throw DataError(fmt::format(
        "{}: the U-Net's input_blocks.1.0 or middle_block.0 is missing",
        context.where));
  // A grid that is halved by averaging leaves a number without tensors.
  if (part.has_under(fmt::format("input_blocks.{}.", num_in + 1)) ||
      shape.down.size() != shape.up.size())
    refuse_variant(context,
                   "whose U-Net does not halve and double the grid by "
                   "convolutions alone (conv_resample, resblock_updown)");
  check_levels(context, part, shape.down, num_blocks);
  check_levels(context, part, shape.up, num_blocks + 1);
  if (!part.has("middle_block.1.qkv.weight"))
    refuse_variant(context, "whose U-Net has no attention in the middle");
  const auto stem = part.size("input_blocks.0.0.weight", 0);
  if (stem != shape.down.front().width)
    refuse_variant(context,
                   fmt::format("whose U-Net begins with {} channels and has {} "
                               "on its first level (channel_mult begins with "
                               "another number than 1)",
                               stem, shape.down.front().width));
  const auto of_time = part.size(
      shape.down.front().blocks.front().prefix + "0.emb_layers.1.weight", 0);
  shape.scale_shift = of_time == 2 * shape.down.front().width;
  return shape;
}

}  // namespace calotype
