#include "vae/dense_network.h"

#include <fmt/format.h>

#include <memory>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/batch_invariant.h"

namespace calotype {

DenseNetwork::DenseNetwork(const DenseNetworkConfig& config) : config_(config) {
  const auto pixels =
      config.image_channels * config.sample_size * config.sample_size;
  const auto encoder =
      register_module("encoder", std::make_shared<torch::nn::Module>());
  const auto decoder =
      register_module("decoder", std::make_shared<torch::nn::Module>());
  auto width = pixels;
  for (size_t i = 0; i <= config.hidden.size(); ++i) {
    const auto out =
        i < config.hidden.size() ? config.hidden[i] : config.encoder_out;
    encoder_.push_back(
        encoder->register_module(std::to_string(i), Linear(width, out)));
    width = out;
  }
  width = config.code_channels;
  for (size_t i = 0; i <= config.hidden.size(); ++i) {
    const auto left = config.hidden.size() - i;
    const auto out = left > 0 ? config.hidden[left - 1] : pixels;
    if (config.tied)
      decoder_biases_.push_back(decoder->register_parameter(
          fmt::format("bias_{}", i), torch::zeros({out})));
    else
      decoder_.push_back(
          decoder->register_module(std::to_string(i), Linear(width, out)));
    width = out;
  }
}

at::Tensor DenseNetwork::encode_layer(int64_t index, const at::Tensor& rows) {
  const auto out = encoder_[size_t(index)]->forward(rows);
  return index + 1 < num_layers() ? activate(config_.activation, out) : out;
}

at::Tensor DenseNetwork::decode_layer(int64_t index, const at::Tensor& rows) {
  const auto mirror = size_t(num_layers() - 1 - index);
  const auto out =
      config_.tied ? invariant_linear(rows, encoder_[size_t(index)]->weight.t(),
                                      decoder_biases_[mirror])
                   : decoder_[mirror]->forward(rows);
  return index > 0 ? activate(config_.activation, out) : out;
}

at::Tensor DenseNetwork::encode(const at::Tensor& images) {
  auto rows = images.flatten(1);
  for (int64_t i = 0; i < num_layers(); ++i) rows = encode_layer(i, rows);
  return rows.unsqueeze(2).unsqueeze(3);
}

at::Tensor DenseNetwork::decode(const at::Tensor& code) {
  check_shape("CalotypeAutoencoder", "code", code,
              {-1, config_.code_channels, 1, 1});
  auto rows = code.flatten(1);
  for (int64_t i = num_layers() - 1; i >= 0; --i) rows = decode_layer(i, rows);
  return rows.view({code.size(0), config_.image_channels, config_.sample_size,
                    config_.sample_size});
}

at::Tensor DenseNetwork::code_directions() {
  return config_.tied ? encoder_.back()->weight : decoder_.front()->weight.t();
}

std::vector<std::string> DenseNetwork::layer_parameters(int64_t index) const {
  const auto mirror = num_layers() - 1 - index;
  std::vector<std::string> names{fmt::format("encoder.{}.weight", index),
                                 fmt::format("encoder.{}.bias", index)};
  if (config_.tied) {
    names.push_back(fmt::format("decoder.bias_{}", mirror));
  } else {
    names.push_back(fmt::format("decoder.{}.weight", mirror));
    names.push_back(fmt::format("decoder.{}.bias", mirror));
  }
  return names;
}

}  // namespace calotype
