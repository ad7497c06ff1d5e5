#include "vqvae/residual_quantizer.h"

#include <fmt/format.h>

#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

namespace calotype {

ResidualQuantizer::ResidualQuantizer(const QuantizerConfig& config, int64_t dim)
    : config_(config), gradient_(parse_gradient_estimate(config.gradient)) {
  const auto list = register_module("layers", torch::nn::ModuleList());
  for (int64_t i = 0; i < config.num_quantizers; ++i) {
    layers_.push_back(std::make_shared<EmaCodebook>(config, dim));
    list->push_back(layers_.back());
  }
}

Quantized ResidualQuantizer::quantize(const at::Tensor& vectors,
                                      const QuantizerStep* training) {
  auto left = vectors;
  auto codes = torch::zeros_like(vectors);
  std::vector<at::Tensor> indices;
  at::Tensor loss;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto step = training ? training->of_part(i) : QuantizerStep();
    const auto layer = layers_[i]->quantize(left, training ? &step : nullptr);
    const auto code = layer.vectors.detach();
    codes = codes + code;
    left = left - code;
    indices.push_back(layer.indices);
    loss = loss.defined() ? loss + layer.loss : layer.loss;
  }
  return {.vectors = with_gradient(gradient_, vectors, codes),
          .indices = torch::cat(indices, 1),
          .loss = loss,
          .parts = {{"commitment", (vectors - codes).square().mean()}}};
}

at::Tensor ResidualQuantizer::lookup(const at::Tensor& indices) {
  check_indices(indices, num_codes(), num_levels());
  at::Tensor codes;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto part = layers_[i]->lookup(indices.narrow(1, int64_t(i), 1));
    codes = codes.defined() ? codes + part : part;
  }
  return codes;
}

std::vector<std::pair<std::string, at::Tensor>>
ResidualQuantizer::training_state() {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (size_t i = 0; i < layers_.size(); ++i)
    for (auto& [name, tensor] : layers_[i]->training_state())
      state.emplace_back(fmt::format("{}.{}", i, name), tensor);
  return state;
}

}  // namespace calotype
