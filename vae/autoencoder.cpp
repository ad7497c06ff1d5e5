#include "vae/autoencoder.h"

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/sliced.h"
#include "vae/conv_network.h"
#include "vae/dense_network.h"
#include "vae/gaussian.h"
#include "vae/masked_network.h"

namespace calotype {
namespace {

constexpr const char* kWhere = "CalotypeAutoencoder";

/// A setting that another network would ignore is a mistake.
void refuse_unless(bool fits, const char* key, const char* needs) {
  if (!fits)
    throw ConfigError(fmt::format("{}: {} needs {}", kWhere, key, needs));
}

std::shared_ptr<CodeNetwork> make_network(const CalotypeAutoencoderConfig& c) {
  const auto encoder_out = (c.variational ? 2 : 1) * c.latent_channels;
  const auto activation = parse_activation(c.act_fn);
  if (c.network == "conv")
    return std::make_shared<ConvNetwork>(
        ConvNetworkConfig{.image_channels = c.in_channels,
                          .sample_size = c.sample_size,
                          .hidden = c.hidden,
                          .encoder_out = encoder_out,
                          .code_channels = c.latent_channels,
                          .activation = activation,
                          .code_grid = c.code_grid});
  if (c.network == "masked")
    return std::make_shared<MaskedNetwork>(
        MaskedNetworkConfig{.image_channels = c.in_channels,
                            .sample_size = c.sample_size,
                            .patch_size = c.patch_size,
                            .width = c.width,
                            .num_layers = c.num_layers,
                            .num_heads = c.num_attention_heads,
                            .code_channels = c.latent_channels,
                            .decoder_width = c.decoder_width,
                            .decoder_layers = c.decoder_layers});
  return std::make_shared<DenseNetwork>(
      DenseNetworkConfig{.image_channels = c.in_channels,
                         .sample_size = c.sample_size,
                         .hidden = c.hidden,
                         .encoder_out = encoder_out,
                         .code_channels = c.latent_channels,
                         .activation = activation,
                         .tied = c.tied});
}

}  // namespace

void CalotypeAutoencoderConfig::validate() const {
  constexpr double kMany = 1 << 20;
  check_one_of(kWhere, "network", network, {"dense", "conv", "masked"});
  check_range(kWhere, "in_channels", double(in_channels), 1, 1 << 16);
  check_range(kWhere, "sample_size", double(sample_size), 1, 1 << 14);
  check_range(kWhere, "latent_channels", double(latent_channels), 1, kMany);
  check_range(kWhere, "number of hidden layers", double(hidden.size()), 0, 64);
  for (const auto size : hidden)
    check_range(kWhere, "hidden", double(size), 1, kMany);
  parse_activation(act_fn);
  parse_activation(code_act_fn, "code_act_fn");
  parse_reconstruction(kWhere, reconstruction);
  refuse_unless(!tied || network == "dense", "tied", "a dense network");
  refuse_unless(!tied || !variational, "tied",
                "a code without a variance: a variational encoder is twice as "
                "wide as its decoder");
  refuse_unless(!code_grid || network == "conv", "code_grid", "a conv network");
  refuse_unless(network != "conv" || !hidden.empty(), "network conv",
                "at least one level in hidden");
  refuse_unless(!variational || network != "masked", "variational",
                "a dense or conv network");
  refuse_unless(!variational || code_act_fn == "none", "variational",
                "code_act_fn none: its mean may have either sign");
  if (network != "masked") return;
  check_range(kWhere, "patch_size", double(patch_size), 1, double(sample_size));
  check_range(kWhere, "num_layers", double(num_layers), 1, 256);
  check_range(kWhere, "decoder_layers", double(decoder_layers), 1, 256);
}

CalotypeAutoencoderImpl::CalotypeAutoencoderImpl(
    const CalotypeAutoencoderConfig& config)
    : config_(config),
      reconstruction_(parse_reconstruction(kWhere, config.reconstruction)) {
  config.validate();
  network_ = make_network(config);
  // Its halves are ours, so that parameters are called encoder... and
  // decoder..., whichever network it is.
  for (const auto& half : network_->named_children())
    register_module(half.key(), half.value());
  if (reconstruction_ == Reconstruction::kGaussian)
    log_variance_ = register_parameter("log_variance", torch::zeros({}));
}

std::optional<int64_t> CalotypeAutoencoderImpl::fixed_size() const {
  if (config_.code_grid) return {};
  return config_.sample_size;
}

int64_t CalotypeAutoencoderImpl::code_size() const {
  const auto edge = config_.sample_size / downsample();
  return config_.latent_channels * edge * edge;
}

Json CalotypeAutoencoderImpl::notes() const {
  return {{"_noise_model", noise_model(reconstruction_)}};
}

LatentGrid CalotypeAutoencoderImpl::encode(const torch::Tensor& images) {
  const auto size = fixed_size().value_or(-1);
  check_shape(kWhere, "images", images, {-1, config_.in_channels, size, size});
  const auto code =
      in_slices(*network_, {images}, [this](const std::vector<at::Tensor>& x) {
        return network_->encode(x[0]);
      });
  if (config_.variational) return split_moments(code);
  return {.mean = activate(parse_activation(config_.code_act_fn), code)};
}

torch::Tensor CalotypeAutoencoderImpl::decode_raw(const torch::Tensor& latent) {
  return in_slices(*network_, {latent},
                   [this](const std::vector<at::Tensor>& z) {
                     return network_->decode(z[0]);
                   });
}

torch::Tensor CalotypeAutoencoderImpl::decode(const torch::Tensor& latent) {
  return expected_image(reconstruction_, decode_raw(latent));
}

CalotypeAutoencoder load_calotype_autoencoder(const ModelFolder& folder) {
  return load_model<CalotypeAutoencoder, CalotypeAutoencoderConfig>(folder);
}

}  // namespace calotype
