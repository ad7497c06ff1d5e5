#include "vqvae/vq_model.h"

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"
#include "nn/sample_size.h"

namespace calotype {
namespace {

constexpr const char* kVQModel = "VQModel";

int64_t code_channels(const VQModelConfig& config) {
  return config.vq_embed_dim.value_or(config.latent_channels);
}

ConvCoderConfig encoder_config(const VQModelConfig& c) {
  return coder_config(c, c.in_channels, c.latent_channels, c.down_block_types);
}

ConvCoderConfig decoder_config(const VQModelConfig& c) {
  auto decoder =
      coder_config(c, c.out_channels, c.latent_channels, c.up_block_types);
  if (c.norm_type == "spatial") decoder.condition_channels = c.latent_channels;
  return decoder;
}

}  // namespace

void VQModelConfig::validate() const {
  check_sample_size(kVQModel, sample_size);
  check_one_of(kVQModel, "norm_type", norm_type, {"group", "spatial"});
  validate_encoder(kVQModel, encoder_config(*this));
  validate_decoder(kVQModel, decoder_config(*this));
  check_range(kVQModel, "vq_embed_dim", double(code_channels(*this)), 1,
              1 << 16);
  if (norm_type == "spatial" && code_channels(*this) != latent_channels)
    throw ConfigError(fmt::format(
        "VQModel: norm_type spatial needs vq_embed_dim to be latent_channels, "
        "got {} and {}",
        code_channels(*this), latent_channels));
  with_num_codes(kVQModel, quantizer, num_vq_embeddings);
}

VQModelImpl::VQModelImpl(const VQModelConfig& config) : config_(config) {
  config.validate();
  const auto D = config.latent_channels, code = code_channels(config);
  encoder_ = register_module("encoder", Encoder(encoder_config(config)));
  quant_conv_ = register_module("quant_conv", conv1x1(D, code));
  quantizer_ = make_quantizer(
      with_num_codes(kVQModel, config.quantizer, config.num_vq_embeddings),
      code);
  register_module("quantize", quantizer_);
  post_quant_conv_ = register_module("post_quant_conv", conv1x1(code, D));
  decoder_ = register_module("decoder", Decoder(decoder_config(config)));
}

int64_t VQModelImpl::latent_channels() const {
  return code_channels(config_);
}

int64_t VQModelImpl::downsample() const {
  return int64_t{1} << (config_.block_out_channels.size() - 1);
}

LatentGrid VQModelImpl::encode(const torch::Tensor& images) {
  check_shape(kVQModel, "images", images, {-1, config_.in_channels, -1, -1});
  const auto f = downsample();
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(
        fmt::format("VQModel: height and width must be multiples of {}, got "
                    "{}x{}",
                    f, images.size(2), images.size(3)));
  return {.mean = quant_conv_(encoder_(images))};
}

Quantized VQModelImpl::quantize(const torch::Tensor& latent,
                                const QuantizerStep* training) {
  check_shape(kVQModel, "latent", latent, {-1, latent_channels(), -1, -1});
  return quantize_grid(*quantizer_, latent, training);
}

torch::Tensor VQModelImpl::decode_codes(const torch::Tensor& codes) {
  const auto condition =
      config_.norm_type == "spatial" ? codes : torch::Tensor();
  return decoder_->forward(post_quant_conv_(codes), condition);
}

torch::Tensor VQModelImpl::decode(const torch::Tensor& latent) {
  return decode_codes(quantize(latent).vectors);
}

CodedImages VQModelImpl::reconstruct(const torch::Tensor& images,
                                     const QuantizerStep* training) {
  const auto coded = quantize(encode(images).mean, training);
  return {.images = decode_codes(coded.vectors),
          .indices = coded.indices,
          .loss = coded.loss,
          .parts = coded.parts};
}

torch::Tensor VQModelImpl::tokenize(const torch::Tensor& images) {
  return quantize(encode(images).mean).indices;
}

torch::Tensor VQModelImpl::detokenize(const torch::Tensor& tokens) {
  return decode_codes(lookup_grid(*quantizer_, tokens));
}

VQModel load_vq_model(const ModelFolder& folder) {
  return load_model<VQModel, VQModelConfig>(folder);
}

}  // namespace calotype
