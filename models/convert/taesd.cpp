#include "models/convert/taesd.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "models/convert/rewriter.h"
#include "vae/autoencoder_tiny.h"

namespace calotype {
namespace {

/// A half from what its layers are: convolutions and, between them, blocks.
struct TinyHalf {
  std::vector<int64_t> num_blocks;
  int64_t width = 0;
  int64_t in_channels = 0, out_channels = 0;
  int64_t num_layers = 0;
};

std::string layer(int64_t place) {
  return std::to_string(place);
}

bool is_block(const SourcePart& part, int64_t place) {
  return part.has(layer(place) + ".conv.0.weight");
}

void rewrite_block(Rewriter& rewriter, int64_t from, int64_t width,
                   const std::string& to) {
  rewriter.source().expect_shape(layer(from) + ".conv.0.weight",
                                 {width, width, 3, 3});
  for (const char* conv : {".conv.0", ".conv.2", ".conv.4"})
    rewriter.layer(layer(from) + conv, to + conv);
}

int64_t count_blocks(const SourcePart& part, int64_t place) {
  int64_t count = 0;
  while (is_block(part, place + count)) ++count;
  return count;
}

/// Convolution, blocks; then, halving the grid, a convolution without a bias
/// and blocks, as often as it is so; at last a convolution.
TinyHalf rewrite_encoder(SourcePart& part, TensorFile& to) {
  Rewriter rewriter(part, to);
  TinyHalf half{.width = part.size("0.weight", 0),
                .in_channels = part.size("0.weight", 1)};
  const auto name = [](int64_t place) {
    return "encoder.layers." + layer(place);
  };
  int64_t place = 0;
  part.expect_shape("0.weight", {half.width, half.in_channels, 3, 3});
  rewriter.layer("0", name(0));
  for (++place;; ++place) {
    const auto count = count_blocks(part, place);
    for (int64_t i = 0; i < count; ++i, ++place)
      rewrite_block(rewriter, place, half.width, name(place));
    half.num_blocks.push_back(count);
    if (part.has(layer(place) + ".bias")) break;
    rewriter.tensor(layer(place) + ".weight", name(place) + ".weight");
  }
  rewriter.layer(layer(place), name(place));
  half.out_channels = part.size(layer(place) + ".weight", 0);
  part.expect_shape(layer(place) + ".weight",
                    {half.out_channels, half.width, 3, 3});
  return half;
}

/// Clamp, convolution, activation, blocks; then, doubling the grid, nothing and
/// a convolution without a bias, and blocks; at last a convolution.
TinyHalf rewrite_decoder(SourcePart& part, TensorFile& to) {
  Rewriter rewriter(part, to);
  TinyHalf half{.width = part.size("1.weight", 0),
                .in_channels = part.size("1.weight", 1)};
  const auto name = [](int64_t place) {
    return "decoder.layers." + layer(place - 1);
  };
  part.expect_shape("1.weight", {half.width, half.in_channels, 3, 3});
  rewriter.layer("1", name(1));
  int64_t place = 3;
  for (;; ++place) {
    const auto count = count_blocks(part, place);
    for (int64_t i = 0; i < count; ++i, ++place)
      rewrite_block(rewriter, place, half.width, name(place));
    half.num_blocks.push_back(count);
    if (part.has(layer(place) + ".bias")) break;
    ++place;  // what doubles the grid
    rewriter.tensor(layer(place) + ".weight", name(place) + ".weight");
  }
  rewriter.layer(layer(place), name(place));
  half.out_channels = part.size(layer(place) + ".weight", 0);
  part.expect_shape(layer(place) + ".weight",
                    {half.out_channels, half.width, 3, 3});
  return half;
}

void refuse_others(const ConvertContext& context, const SourcePart& encoder,
                   const SourcePart& decoder) {
  for (int64_t place = 0; place < 64; ++place)
    if (encoder.has_under(layer(place) + ".pool.") ||
        decoder.has_under(layer(place) + ".pool."))
      refuse_variant(context, "of FLUX.2, with pooled blocks");
  if (encoder.has("2.bias") && !is_block(encoder, 2) && is_block(encoder, 3))
    refuse_variant(context, "of Sana, with convolutions that have biases");
}

}  // namespace

ConvertedModel convert_taesd(const ConvertContext& context, SourcePart encoder,
                             SourcePart decoder) {
  refuse_others(context, encoder, decoder);
  ConvertedModel model{.class_name = AutoencoderTinyImpl::kClassName};
  const auto down = rewrite_encoder(encoder, model.weights);
  const auto up = rewrite_decoder(decoder, model.weights);
  if (down.out_channels != up.in_channels)
    throw ConfigError(fmt::format(
        "{}: the encoder gives latents of {} channels and the decoder takes "
        "{}; they are not of one model",
        context.where, down.out_channels, up.in_channels));
  AutoencoderTinyConfig config{
      .in_channels = down.in_channels,
      .out_channels = up.out_channels,
      .encoder_block_out_channels =
          std::vector<int64_t>(down.num_blocks.size(), down.width),
      .decoder_block_out_channels =
          std::vector<int64_t>(up.num_blocks.size(), up.width),
      .latent_channels = down.out_channels,
      .num_encoder_blocks = down.num_blocks,
      .num_decoder_blocks = up.num_blocks};
  if (context.options.scaling_factor)
    config.scaling_factor = *context.options.scaling_factor;
  model.config = write_config(config);
  encoder.expect_all_used("", model.class_name);
  decoder.expect_all_used("", model.class_name);
  return model;
}

}  // namespace calotype
