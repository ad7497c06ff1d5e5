#include "vae/kl_codec.h"

#include <fmt/format.h>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/resnet_block.h"
#include "vae/gaussian.h"

namespace calotype {

KlCodecImpl::KlCodecImpl(const char* name, const ConvCoderConfig& encoder,
                         const ConvCoderConfig& decoder, bool quant_conv,
                         bool post_quant_conv)
    : name_(name),
      image_channels_(encoder.image_channels),
      latent_channels_(decoder.latent_channels),
      downsample_(int64_t{1} << (encoder.block_channels.size() - 1)) {
  const auto D = latent_channels_;
  encoder_ = register_module("encoder", Encoder(encoder));
  decoder_ = register_module("decoder", Decoder(decoder));
  if (quant_conv)
    quant_conv_ = register_module("quant_conv", conv1x1(2 * D, 2 * D));
  if (post_quant_conv)
    post_quant_conv_ = register_module("post_quant_conv", conv1x1(D, D));
}

LatentGrid KlCodecImpl::encode(const torch::Tensor& images) {
  check_shape(name_, "images", images, {-1, image_channels_, -1, -1});
  const auto f = downsample_;
  if (images.size(2) % f != 0 || images.size(3) % f != 0)
    throw ShapeError(
        fmt::format("{}: height and width must be multiples of {}, got {}x{}",
                    name_, f, images.size(2), images.size(3)));
  auto moments = encoder_(images);
  if (quant_conv_) moments = quant_conv_(moments);
  return split_moments(moments);
}

torch::Tensor KlCodecImpl::decode(const torch::Tensor& latent) {
  check_shape(name_, "latent", latent, {-1, latent_channels_, -1, -1});
  return decoder_(post_quant_conv_ ? post_quant_conv_(latent) : latent);
}

void expect_equal_levels(const char* name, const char* encoder_key,
                         const ConvCoderConfig& encoder,
                         const char* decoder_key,
                         const ConvCoderConfig& decoder) {
  const auto down = encoder.block_channels.size(),
             up = decoder.block_channels.size();
  if (down != up)
    throw ConfigError(
        fmt::format("{}: {} must have as many entries as {}, {}, got {}", name,
                    decoder_key, encoder_key, down, up));
}

}  // namespace calotype
