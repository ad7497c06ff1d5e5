#include "vqvae/magvit2.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "vqvae/bit_codes.h"

namespace calotype {
namespace {

constexpr const char* kMagvit2 = "CalotypeMAGVIT2";

ConvCoderConfig half(const Magvit2Config& c, int64_t image_channels,
                     const char* block_type) {
  const std::vector<std::string> types(c.block_out_channels.size(), block_type);
  return {.image_channels = image_channels,
          .latent_channels = c.latent_channels,
          .block_channels = c.block_out_channels,
          .layers_per_block = c.layers_per_block,
          .num_groups = c.norm_num_groups,
          .mid_attention = false,
          .block_types = types,
          .activation = parse_activation(c.act_fn)};
}

ConvCoderConfig encoder_half(const Magvit2Config& c) {
  return half(c, c.in_channels, "DownEncoderBlock2D");
}
ConvCoderConfig decoder_half(const Magvit2Config& c) {
  return half(c, c.out_channels, "UpDecoderBlock2D");
}

QuantizerConfig quantizer_of(const Magvit2Config& c) {
  return with_num_codes(kMagvit2, c.quantizer, int64_t{1} << c.latent_channels);
}

/// [N,D,h,w] with the channels in the other order: the quantizer takes the
/// first for the highest bit, which here is the last.
at::Tensor turned(const at::Tensor& grid) {
  return grid.flip(1);
}

}  // namespace

void Magvit2Config::validate() const {
  check_range(kMagvit2, "latent_channels", double(latent_channels), 1,
              double(kMaxBits));
  validate_encoder(kMagvit2, encoder_half(*this));
  validate_decoder(kMagvit2, decoder_half(*this));
  check_one_of(kMagvit2, "quantizer.kind", quantizer.kind, {"lfq"});
  quantizer_of(*this);
}

Magvit2Impl::Magvit2Impl(const Magvit2Config& config) : config_(config) {
  config.validate();
  encoder_ = register_module("encoder", Magvit2Encoder(encoder_half(config)));
  quantizer_ = make_quantizer(quantizer_of(config), config.latent_channels);
  register_module("quantize", quantizer_);
  decoder_ = register_module("decoder", Magvit2Decoder(decoder_half(config)));
}

int64_t Magvit2Impl::downsample() const {
  return int64_t{1} << (config_.block_out_channels.size() - 1);
}

LatentGrid Magvit2Impl::encode(const torch::Tensor& images) {
  check_shape(kMagvit2, "images", images, {-1, config_.in_channels, -1, -1});
  const auto f = downsample();
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(
        fmt::format("{}: height and width must be multiples of {}, got {}x{}",
                    kMagvit2, f, images.size(2), images.size(3)));
  return {.mean = encoder_(images)};
}

Quantized Magvit2Impl::quantize(const torch::Tensor& latent,
                                const QuantizerStep* training) {
  check_shape(kMagvit2, "latent", latent, {-1, latent_channels(), -1, -1});
  auto coded = quantize_grid(*quantizer_, turned(latent), training);
  coded.vectors = turned(coded.vectors);
  return coded;
}

torch::Tensor Magvit2Impl::decode(const torch::Tensor& latent) {
  return decoder_(quantize(latent).vectors);
}

CodedImages Magvit2Impl::reconstruct(const torch::Tensor& images,
                                     const QuantizerStep* training) {
  const auto coded = quantize(encode(images).mean, training);
  return {.images = decoder_(coded.vectors),
          .indices = coded.indices,
          .loss = coded.loss,
          .parts = coded.parts};
}

torch::Tensor Magvit2Impl::tokenize(const torch::Tensor& images) {
  return quantize(encode(images).mean).indices;
}

torch::Tensor Magvit2Impl::detokenize(const torch::Tensor& tokens) {
  return decoder_(turned(lookup_grid(*quantizer_, tokens)));
}

Magvit2 load_magvit2(const ModelFolder& folder) {
  return load_model<Magvit2, Magvit2Config>(folder);
}

}  // namespace calotype
