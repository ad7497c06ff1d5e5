#include "vae/conv_network.h"

#include <fmt/format.h>

#include <memory>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/doubling_conv.h"

namespace calotype {

ConvNetwork::ConvNetwork(const ConvNetworkConfig& config) : config_(config) {
  namespace nn = torch::nn;
  const auto factor = int64_t{1} << config.hidden.size();
  if (!config.code_grid && config.sample_size % factor != 0)
    throw ConfigError(
        fmt::format("CalotypeAutoencoder: sample_size must be a multiple of "
                    "{}, since each of the {} levels halves it; got {}",
                    factor, config.hidden.size(), config.sample_size));
  const auto encoder =
      register_module("encoder", std::make_shared<nn::Module>());
  auto channels = config.image_channels;
  for (size_t i = 0; i < config.hidden.size(); ++i) {
    const auto out = config.hidden[i];
    down_.push_back(encoder->register_module(
        fmt::format("conv_{}", i),
        Conv2d(nn::Conv2dOptions(channels, out, 3).stride(2).padding(1))));
    channels = out;
  }
  // A kernel as large as the grid is the linear layer from all of it to a
  // vector; one of 1x1 is the same for each cell.
  const auto edge = grid_size();
  to_code_ = encoder->register_module(
      "code", Conv2d(nn::Conv2dOptions(channels, config.encoder_out, edge)));

  const auto decoder =
      register_module("decoder", std::make_shared<nn::Module>());
  from_code_ = decoder->register_module(
      "code", nn::ConvTranspose2d(nn::ConvTranspose2dOptions(
                  config.code_channels, channels, edge)));
  for (size_t i = config.hidden.size(); i-- > 0;) {
    const auto out = config.hidden[i > 0 ? i - 1 : 0];
    up_.push_back(decoder->register_module(
        fmt::format("conv_{}", config.hidden.size() - 1 - i),
        nn::ConvTranspose2d(nn::ConvTranspose2dOptions(channels, out, 4)
                                .stride(2)
                                .padding(1))));
    channels = out;
  }
  conv_out_ = decoder->register_module(
      "conv_out",
      Conv2d(nn::Conv2dOptions(channels, config.image_channels, 3).padding(1)));
}

int64_t ConvNetwork::grid_size() const {
  return config_.code_grid ? 1 : config_.sample_size >> config_.hidden.size();
}

int64_t ConvNetwork::downsample() const {
  return config_.code_grid ? int64_t{1} << config_.hidden.size()
                           : config_.sample_size;
}

at::Tensor ConvNetwork::encode(const at::Tensor& images) {
  auto x = images;
  for (auto& conv : down_) x = activate(config_.activation, conv(x));
  return to_code_(x);
}

at::Tensor ConvNetwork::decode(const at::Tensor& code) {
  check_shape("CalotypeAutoencoder", "code", code,
              {-1, config_.code_channels, -1, -1});
  auto x = activate(config_.activation, from_code_(code));
  for (auto& conv : up_)
    x = activate(config_.activation,
                 doubling_conv(x, conv->weight, conv->bias));
  return conv_out_(x);
}

at::Tensor ConvNetwork::code_directions() {
  return from_code_->weight.flatten(1);
}

}  // namespace calotype
