#include "vqvae/vqvae2.h"

#include <torch/types.h>

#include <array>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"

namespace calotype {
namespace {

constexpr const char* kVQVAE2 = "CalotypeVQVAE2";

ConvCoderConfig half(const VqVae2Config& c, int64_t image_channels,
                     int64_t latent_channels, std::vector<int64_t> channels,
                     const char* block_type) {
  const std::vector<std::string> types(channels.size(), block_type);
  auto half = coder_config(c, image_channels, latent_channels, types);
  half.block_channels = std::move(channels);
  return half;
}

ConvCoderConfig encoder_half(const VqVae2Config& c, int64_t image_channels,
                             int64_t latent_channels,
                             std::vector<int64_t> channels) {
  return half(c, image_channels, latent_channels, std::move(channels),
              "DownEncoderBlock2D");
}

ConvCoderConfig decoder_half(const VqVae2Config& c, int64_t image_channels,
                             int64_t latent_channels,
                             std::vector<int64_t> channels) {
  return half(c, image_channels, latent_channels, std::move(channels),
              "UpDecoderBlock2D");
}

/// [N,C,2h,2w] -> [N,4C,h,w], and back.
at::Tensor fold(const at::Tensor& bottom) {
  return torch::pixel_unshuffle(bottom, 2);
}
at::Tensor unfold(const at::Tensor& folded) {
  return torch::pixel_shuffle(folded, 2);
}

at::Tensor join_tokens(const at::Tensor& top, const at::Tensor& bottom) {
  return torch::cat({top, fold(bottom)}, 1);
}

}  // namespace

void VqVae2Config::validate() const {
  validate_encoder(kVQVAE2, encoder_half(*this, in_channels, latent_channels,
                                         block_out_channels));
  validate_decoder(kVQVAE2, decoder_half(*this, out_channels, latent_channels,
                                         block_out_channels));
  with_num_codes(kVQVAE2, quantizer, num_vq_embeddings);
  if (quantizer.kind == "residual")
    throw ConfigError(
        "CalotypeVQVAE2: quantizer.kind must not be residual: it has two "
        "levels already");
}

VqVae2Impl::VqVae2Impl(const VqVae2Config& config) : config_(config) {
  config.validate();
  const auto D = config.latent_channels, C = config.block_out_channels.back();
  const auto quantizer =
      with_num_codes(kVQVAE2, config.quantizer, config.num_vq_embeddings);
  const auto& blocks = config.block_out_channels;
  bottom_encoder_ = register_module(
      "bottom_encoder",
      Encoder(encoder_half(config, config.in_channels, C, blocks)));
  top_encoder_ = register_module("top_encoder",
                                 Encoder(encoder_half(config, C, D, {C, C})));
  top_quantizer_ = make_quantizer(quantizer, D);
  register_module("top_quantize", top_quantizer_);
  top_decoder_ = register_module("top_decoder",
                                 Decoder(decoder_half(config, C, D, {C, C})));
  bottom_conv_ = register_module("bottom_conv", conv1x1(2 * C, D));
  bottom_quantizer_ = make_quantizer(quantizer, D);
  register_module("bottom_quantize", bottom_quantizer_);
  top_upsample_ = register_module("top_upsample", Upsample(D));
  decoder_ = register_module(
      "decoder",
      Decoder(decoder_half(config, config.out_channels, 2 * D, blocks)));
}

VqVae2Impl::Levels VqVae2Impl::encode_levels(const torch::Tensor& images,
                                             const QuantizerStep* training) {
  check_shape(kVQVAE2, "images", images, {-1, config_.in_channels, -1, -1});
  const auto f = downsample();
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(fmt::format(
        "CalotypeVQVAE2: height and width must be multiples of {}, got {}x{}",
        f, images.size(2), images.size(3)));
  const auto parts =
      training ? std::array{training->of_part(0), training->of_part(1)}
               : std::array<QuantizerStep, 2>();
  const auto part = [&](size_t i) { return training ? &parts[i] : nullptr; };
  Levels levels;
  const auto features = bottom_encoder_(images);
  levels.top_latent = top_encoder_(features);
  levels.top = quantize_grid(*top_quantizer_, levels.top_latent, part(0));
  levels.bottom_latent = bottom_conv_(
      torch::cat({features, top_decoder_->forward(levels.top.vectors)}, 1));
  levels.bottom =
      quantize_grid(*bottom_quantizer_, levels.bottom_latent, part(1));
  return levels;
}

torch::Tensor VqVae2Impl::decode_codes(const torch::Tensor& top,
                                       const torch::Tensor& bottom) {
  return decoder_->forward(
      torch::cat({top_upsample_->forward(top), bottom}, 1));
}

LatentGrid VqVae2Impl::encode(const torch::Tensor& images) {
  const auto levels = encode_levels(images, nullptr);
  return {.mean =
              torch::cat({levels.top_latent, fold(levels.bottom_latent)}, 1)};
}

torch::Tensor VqVae2Impl::decode(const torch::Tensor& latent) {
  check_shape(kVQVAE2, "latent", latent, {-1, latent_channels(), -1, -1});
  const auto D = config_.latent_channels;
  const auto top =
      quantize_grid(*top_quantizer_, latent.narrow(1, 0, D), nullptr);
  const auto bottom = quantize_grid(
      *bottom_quantizer_, unfold(latent.narrow(1, D, 4 * D)), nullptr);
  return decode_codes(top.vectors, bottom.vectors);
}

torch::Tensor VqVae2Impl::tokenize(const torch::Tensor& images) {
  const auto levels = encode_levels(images, nullptr);
  return join_tokens(levels.top.indices, levels.bottom.indices);
}

torch::Tensor VqVae2Impl::detokenize(const torch::Tensor& tokens) {
  check_shape(kVQVAE2, "tokens", tokens, {-1, num_levels(), -1, -1});
  return decode_codes(
      lookup_grid(*top_quantizer_, tokens.narrow(1, 0, 1)),
      lookup_grid(*bottom_quantizer_, unfold(tokens.narrow(1, 1, 4))));
}

CodedImages VqVae2Impl::reconstruct(const torch::Tensor& images,
                                    const QuantizerStep* training) {
  const auto levels = encode_levels(images, training);
  CodedImages coded{
      .images = decode_codes(levels.top.vectors, levels.bottom.vectors),
      .indices = join_tokens(levels.top.indices, levels.bottom.indices),
      .loss = levels.top.loss + levels.bottom.loss,
      .parts = {}};
  for (const auto& [name, value] : levels.top.parts)
    coded.parts.emplace_back("top_" + name, value);
  for (const auto& [name, value] : levels.bottom.parts)
    coded.parts.emplace_back("bottom_" + name, value);
  return coded;
}

std::vector<std::pair<std::string, at::Tensor>> VqVae2Impl::training_state() {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (auto& [name, tensor] : top_quantizer_->training_state())
    state.emplace_back("top." + name, tensor);
  for (auto& [name, tensor] : bottom_quantizer_->training_state())
    state.emplace_back("bottom." + name, tensor);
  return state;
}

VqVae2 load_vqvae2(const ModelFolder& folder) {
  return load_model<VqVae2, VqVae2Config>(folder);
}

}  // namespace calotype
