#include "models/convert/conv_halves.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace calotype {
namespace {

const char* half_name(bool is_encoder) {
  return is_encoder ? "encoder" : "decoder";
}

/// The prefix of the level that runs as number `place` of `num_levels`.
std::string level_prefix(const HalfNames& names, bool is_encoder, size_t place,
                         size_t num_levels) {
  const bool reversed = !is_encoder && names.up_by_resolution;
  return fmt::format(
      "{}.{}.", half_name(is_encoder),
      fmt::format(fmt::runtime(is_encoder ? names.down : names.up),
                  reversed ? num_levels - 1 - place : place));
}

size_t count_while(const auto& there) {
  size_t count = 0;
  while (there(count)) ++count;
  return count;
}

/// Whether the level has attention behind each of its blocks, or behind none.
bool attention_of_level(const ConvertContext& context, const SourcePart& part,
                        const std::string& level, size_t num_blocks) {
  if (part.has(level + "attn.0.to_qkv.weight"))
    refuse_variant(context, "with linear attention");
  const auto count = count_while([&](size_t i) {
    return part.has(fmt::format("{}attn.{}.q.weight", level, i));
  });
  if (count != 0 && count != num_blocks)
    refuse_variant(context, fmt::format("with attention behind {} of {} blocks",
                                        count, num_blocks));
  return count > 0;
}

void rewrite_block(Rewriter& rewriter, const std::string& from,
                   const std::string& to) {
  for (const char* layer : {"norm1", "conv1", "norm2", "conv2"})
    rewriter.layer(from + "." + layer, to + "." + layer);
  if (rewriter.source().has(from + ".nin_shortcut.weight"))
    rewriter.layer(from + ".nin_shortcut", to + ".conv_shortcut");
}

void rewrite_attention(Rewriter& rewriter, const std::string& from,
                       const std::string& to) {
  rewriter.layer(from + ".norm", to + ".group_norm");
  rewriter.linear(from + ".q", to + ".to_q");
  rewriter.linear(from + ".k", to + ".to_k");
  rewriter.linear(from + ".v", to + ".to_v");
  rewriter.linear(from + ".proj_out", to + ".to_out.0");
}

}  // namespace

HalfShape read_half(const ConvertContext& context, const SourcePart& part,
                    const HalfNames& names, bool is_encoder) {
  const std::string half = std::string(half_name(is_encoder)) + ".";
  const auto first_conv = [&](size_t place, size_t num_levels) {
    return level_prefix(names, is_encoder, place, num_levels) + names.block +
           ".0.conv1.weight";
  };
  // Levels are counted in the order of their numbers, whichever way they run.
  const auto num_levels = count_while([&](size_t i) {
    return part.has(
        first_conv(is_encoder || !names.up_by_resolution ? i : 0, i + 1));
  });
  HalfShape shape{.mid_attention =
                      part.has(half + names.attention + ".q.weight")};
  if (part.has(half + names.attention + ".to_qkv.weight"))
    refuse_variant(context, "with linear attention");
  for (size_t place = 0; place < num_levels; ++place) {
    const auto level = level_prefix(names, is_encoder, place, num_levels);
    const auto num_blocks = count_while([&](size_t i) {
      return part.has(
          fmt::format("{}{}.{}.conv1.weight", level, names.block, i));
    });
    if (place > 0 && int64_t(num_blocks) != shape.num_blocks)
      refuse_variant(context, "with levels of several numbers of blocks");
    shape.num_blocks = int64_t(num_blocks);
    const auto width = part.size(first_conv(place, num_levels), 0);
    shape.widths.push_back(width);
    for (size_t i = 0; i < num_blocks; ++i)
      part.expect_shape(
          fmt::format("{}{}.{}.conv2.weight", level, names.block, i),
          {width, width, 3, 3});
    shape.has_attention.push_back(
        attention_of_level(context, part, level, num_blocks));
    const auto resampling =
        level + (is_encoder ? "downsample.conv" : "upsample.conv");
    if (place + 1 < num_levels && !part.has(resampling + ".weight"))
      refuse_variant(context, fmt::format("without convolutions that {} the "
                                          "grid",
                                          is_encoder ? "halve" : "double"));
  }
  shape.in_channels = part.size(half + "conv_in.weight", 1);
  shape.out_channels = part.size(half + "conv_out.weight", 0);
  const auto conv_in = part.size(half + "conv_in.weight", 0);
  const auto last = num_levels > 0 ? shape.widths.back() : conv_in;
  part.expect_shape(half + "conv_out.weight", {shape.out_channels, last, 3, 3});
  part.expect_shape(half + "conv_in.weight",
                    {conv_in, shape.in_channels, 3, 3});
  if (num_levels > 0 && is_encoder && conv_in != shape.widths.front())
    refuse_variant(
        context,
        fmt::format("whose first convolution has {} channels and whose first "
                    "level {} (ch_mult begins with another number than 1)",
                    conv_in, shape.widths.front()));
  return shape;
}

void rewrite_half(Rewriter& rewriter, const HalfNames& names,
                  const HalfShape& shape, bool is_encoder) {
  const std::string half = std::string(half_name(is_encoder)) + ".";
  rewriter.layer(half + "conv_in", half + "conv_in");
  for (size_t place = 0; place < shape.widths.size(); ++place) {
    const auto from =
        level_prefix(names, is_encoder, place, shape.widths.size());
    const auto to =
        fmt::format("{}{}_blocks.{}.", half, is_encoder ? "down" : "up", place);
    for (int64_t i = 0; i < shape.num_blocks; ++i) {
      rewrite_block(rewriter, fmt::format("{}{}.{}", from, names.block, i),
                    fmt::format("{}resnets.{}", to, i));
      if (shape.has_attention[place])
        rewrite_attention(rewriter, fmt::format("{}attn.{}", from, i),
                          fmt::format("{}attentions.{}", to, i));
    }
    if (place + 1 == shape.widths.size()) continue;
    if (is_encoder)
      rewriter.layer(from + "downsample.conv", to + "downsamplers.0.conv");
    else
      rewriter.layer(from + "upsample.conv", to + "upsamplers.0.conv");
  }
  const auto mid = half + "mid_block.";
  rewrite_block(rewriter, half + names.first, mid + "resnets.0");
  if (shape.mid_attention)
    rewrite_attention(rewriter, half + names.attention, mid + "attentions.0");
  rewrite_block(rewriter, half + names.last, mid + "resnets.1");
  rewriter.layer(half + "norm_out", half + "conv_norm_out");
  rewriter.layer(half + "conv_out", half + "conv_out");
}

Json config_of_halves(const ConvertContext& context, const HalfShape& encoder,
                      const HalfShape& decoder) {
  auto mirrored = decoder.widths;
  std::ranges::reverse(mirrored);
  if (mirrored != encoder.widths)
    refuse_variant(context,
                   fmt::format("with levels of {} in the encoder and {} in the "
                               "decoder",
                               fmt::join(encoder.widths, ", "),
                               fmt::join(mirrored, ", ")));
  if (decoder.num_blocks != encoder.num_blocks + 1)
    refuse_variant(context,
                   fmt::format("with {} blocks a level in the encoder and {} "
                               "in the decoder, expected one more",
                               encoder.num_blocks, decoder.num_blocks));
  if (decoder.mid_attention != encoder.mid_attention)
    refuse_variant(context, "with attention in the middle of one half alone");
  Json down = Json::array(), up = Json::array();
  for (const bool attends : encoder.has_attention)
    down.push_back(attends ? "AttnDownEncoderBlock2D" : "DownEncoderBlock2D");
  for (const bool attends : decoder.has_attention)
    up.push_back(attends ? "AttnUpDecoderBlock2D" : "UpDecoderBlock2D");
  return {{"in_channels", encoder.in_channels},
          {"out_channels", decoder.out_channels},
          {"down_block_types", down},
          {"up_block_types", up},
          {"block_out_channels", encoder.widths},
          {"layers_per_block", encoder.num_blocks},
          {"act_fn", "silu"},
          {"latent_channels", decoder.in_channels},
          {"norm_num_groups", 32},
          {"mid_block_add_attention", encoder.mid_attention}};
}

void check_ddconfig(const ConvertContext& context, const Json& arguments,
                    const HalfShape& encoder, const HalfShape& decoder) {
  const auto where = context.project_where();
  const auto number = [&](const char* key) {
    return whole_at(arguments, {"ddconfig", key}, where);
  };
  expect_agrees(context, "ddconfig.num_res_blocks", number("num_res_blocks"),
                encoder.num_blocks);
  expect_agrees(context, "ddconfig.in_channels", number("in_channels"),
                encoder.in_channels);
  expect_agrees(context, "ddconfig.out_ch", number("out_ch"),
                decoder.out_channels);
  expect_agrees(context, "ddconfig.z_channels", number("z_channels"),
                decoder.in_channels);
  const auto multiples = value_at(arguments, {"ddconfig", "ch_mult"});
  const auto base = number("ch");
  if (base && multiples.is_array()) {
    expect_agrees(context, "the length of ddconfig.ch_mult",
                  int64_t(multiples.size()), int64_t(encoder.widths.size()));
    for (size_t i = 0; i < encoder.widths.size(); ++i)
      if (multiples[i].is_number_integer())
        expect_agrees(context, fmt::format("ddconfig.ch * ch_mult[{}]", i),
                      *base * multiples[i].get<int64_t>(), encoder.widths[i]);
  }
  if (flag_at(arguments, {"ddconfig", "tanh_out"}))
    refuse_variant(context, "whose images are tanh of its output (tanh_out)");
  if (flag_at(arguments, {"ddconfig", "use_linear_attn"}))
    refuse_variant(context, "with linear attention");
}

void set_training_aside(SourcePart& part) {
  part.set_aside("loss.", "losses and discriminators of the training");
  part.set_aside("colorize", "colours of label maps, for show");
  part.set_aside("model_ema.decay", "counters of moving averages");
  part.set_aside("model_ema.num_updates", "counters of moving averages");
}

}  // namespace calotype
