#include "models/convert/open_magvit2.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>

#include "core/error.h"
#include "models/convert/conv_halves.h"
#include "models/convert/rewriter.h"
#include "vqvae/magvit2.h"

namespace calotype {
namespace {

std::string block_name(const std::string& row, int64_t place) {
  return fmt::format("{}.{}", row, place);
}

/// Residual blocks `row`.0, `row`.1, ..., each of `width` behind its first
/// convolution, which is held to the shape of its second one.
int64_t count_blocks(const SourcePart& part, const std::string& row,
                     int64_t width) {
  int64_t count = 0;
  for (;; ++count) {
    const auto block = block_name(row, count);
    if (!part.has(block + ".conv1.weight")) return count;
    part.expect_shape(block + ".conv2.weight", {width, width, 3, 3});
  }
}

/// Levels by resolution, the finest first, in the decoder too.
HalfShape read_half(const ConvertContext& context, const SourcePart& part,
                    const std::string& half, const std::string& level) {
  HalfShape shape;
  const auto expect_num_blocks = [&](const std::string& row, int64_t width) {
    const auto count = count_blocks(part, row, width);
    if (shape.num_blocks == 0) shape.num_blocks = count;
    if (count != shape.num_blocks)
      refuse_variant(
          context, fmt::format("with {} blocks in {}* and {} elsewhere", count,
                               row, shape.num_blocks));
  };
  for (size_t i = 0;; ++i) {
    const auto row = fmt::format("{}.{}.{}.block", half, level, i);
    const auto first = block_name(row, 0) + ".conv1.weight";
    if (!part.has(first)) break;
    shape.widths.push_back(part.size(first, 0));
    expect_num_blocks(row, shape.widths.back());
  }
  if (shape.widths.empty())
    throw DataError(fmt::format("{}: {}.{}.0.block.0.conv1.weight is missing",
                                part.where(), half, level));
  expect_num_blocks(half + ".mid_block", shape.widths.back());
  shape.in_channels = part.size(half + ".conv_in.weight", 1);
  shape.out_channels = part.size(half + ".conv_out.weight", 0);
  return shape;
}

/// Of each half those layers whose shapes the model's size follows from.
void expect_ends(const ConvertContext& context, const SourcePart& part,
                 const HalfShape& encoder, const HalfShape& decoder) {
  const auto first = encoder.widths.front(), last = encoder.widths.back();
  const auto conv_in = part.size("encoder.conv_in.weight", 0);
  if (conv_in != first)
    refuse_variant(
        context,
        fmt::format("whose first convolution has {} channels and whose first "
                    "level {} (ch_mult begins with another number than 1)",
                    conv_in, first));
  if (decoder.widths != encoder.widths ||
      decoder.num_blocks != encoder.num_blocks)
    refuse_variant(
        context,
        fmt::format("with levels of {} in the encoder and {} in the decoder, "
                    "of {} and {} blocks",
                    fmt::join(encoder.widths, ", "),
                    fmt::join(decoder.widths, ", "), encoder.num_blocks,
                    decoder.num_blocks));
  const auto D = encoder.out_channels;
  part.expect_shape("encoder.conv_in.weight",
                    {first, encoder.in_channels, 3, 3});
  part.expect_shape("encoder.conv_out.weight", {D, last, 1, 1});
  part.expect_shape("decoder.conv_in.weight", {last, D, 3, 3});
  part.expect_shape("decoder.conv_out.weight",
                    {decoder.out_channels, first, 3, 3});
}

void rewrite_blocks(Rewriter& rewriter, const std::string& from,
                    const std::string& to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const auto old = block_name(from, i) + ".";
    const auto now = block_name(to, i) + ".";
    for (const char* norm : {"norm1", "norm2"})
      rewriter.layer(old + norm, now + norm);
    for (const char* conv : {"conv1.weight", "conv2.weight"})
      rewriter.tensor(old + conv, now + conv);
    if (rewriter.source().has(old + "nin_shortcut.weight"))
      rewriter.tensor(old + "nin_shortcut.weight",
                      now + "conv_shortcut.weight");
  }
}

/// Rows of a convolution to 4C channels from the order (pixel, channel) to
/// (channel, pixel).
void rewrite_doubling(Rewriter& rewriter, const std::string& from,
                      const std::string& to) {
  for (const char* part : {".weight", ".bias"}) {
    const auto rows = rewriter.source().take(from + part);
    if (rows.dim() == 0 || rows.size(0) % 4 != 0)
      throw DataError(fmt::format("{}: {}{} must have four rows a channel",
                                  rewriter.source().where(), from, part));
    auto shape = rows.sizes().vec();
    shape.insert(shape.begin(), 4);
    shape[1] /= 4;
    rewriter.set(to + part,
                 rows.reshape(shape).transpose(0, 1).reshape(rows.sizes()));
  }
}

void rewrite_encoder(Rewriter& rewriter, const HalfShape& shape) {
  rewriter.tensor("encoder.conv_in.weight", "encoder.conv_in.weight");
  for (size_t i = 0; i < shape.widths.size(); ++i) {
    const auto from = fmt::format("encoder.down.{}.", i);
    const auto to = fmt::format("encoder.down_blocks.{}.", i);
    rewrite_blocks(rewriter, from + "block", to + "resnets", shape.num_blocks);
    if (i + 1 < shape.widths.size())
      rewriter.layer(from + "downsample", to + "downsamplers.0.conv");
  }
}

void rewrite_decoder(Rewriter& rewriter, const HalfShape& shape) {
  rewriter.layer("decoder.conv_in", "decoder.conv_in");
  for (size_t i = 0; i < shape.widths.size(); ++i) {
    const auto from = fmt::format("decoder.up.{}.", i);
    const auto norm = fmt::format("decoder.adaptive.{}.", i);
    const auto to =
        fmt::format("decoder.up_blocks.{}.", shape.widths.size() - 1 - i);
    rewriter.layer(norm + "gamma", to + "norm.scale");
    rewriter.layer(norm + "beta", to + "norm.shift");
    rewrite_blocks(rewriter, from + "block", to + "resnets", shape.num_blocks);
    if (i > 0)
      rewrite_doubling(rewriter, from + "upsample.conv1",
                       to + "upsamplers.0.conv");
  }
}

/// What both halves end with.
void rewrite_end(Rewriter& rewriter, const std::string& half,
                 const HalfShape& shape) {
  rewrite_blocks(rewriter, half + ".mid_block", half + ".mid_block.resnets",
                 shape.num_blocks);
  rewriter.layer(half + ".norm_out", half + ".conv_norm_out");
  rewriter.layer(half + ".conv_out", half + ".conv_out");
}

void check_codes(const ConvertContext& context, const Json& arguments,
                 int64_t num_bits) {
  const auto number = [&](const char* key) {
    return whole_at(arguments, {key}, context.project_where());
  };
  expect_agrees(context, "embed_dim", number("embed_dim"), num_bits);
  expect_agrees(context, "n_embed", number("n_embed"), int64_t{1} << num_bits);
  if (context.options.scaling_factor || context.options.sample_size)
    throw ConfigError(fmt::format(
        "{}: {} is converted without --scaling-factor and --sample-size, for "
        "which {} has no keys",
        context.where, context.kind.what, Magvit2Impl::kClassName));
}

}  // namespace

ConvertedModel convert_open_magvit2(const ConvertContext& context,
                                    const Json& arguments, SourcePart part) {
  const auto encoder = read_half(context, part, "encoder", "down");
  const auto decoder = read_half(context, part, "decoder", "up");
  expect_ends(context, part, encoder, decoder);
  check_ddconfig(context, arguments, encoder, decoder);
  const Magvit2Config config{.in_channels = encoder.in_channels,
                             .out_channels = decoder.out_channels,
                             .block_out_channels = encoder.widths,
                             .layers_per_block = encoder.num_blocks,
                             .latent_channels = encoder.out_channels};
  config.validate();
  check_codes(context, arguments, config.latent_channels);
  ConvertedModel model{.class_name = Magvit2Impl::kClassName,
                       .config = write_config(config)};
  Rewriter rewriter(part, model.weights);
  rewrite_encoder(rewriter, encoder);
  rewrite_decoder(rewriter, decoder);
  rewrite_end(rewriter, "encoder", encoder);
  rewrite_end(rewriter, "decoder", decoder);
  set_training_aside(part);
  for (const char* rest : {"encoder.", "decoder.", "quant", "post_quant"})
    part.expect_all_used(rest, model.class_name);
  return model;
}

}  // namespace calotype
