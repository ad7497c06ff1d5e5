#include "vqvae/sim_vq.h"

#include <torch/types.h>

#include <cmath>

#include "vqvae/nearest_code.h"

namespace calotype {

SimVq::SimVq(const QuantizerConfig& config, int64_t dim)
    : config_(config), gradient_(parse_gradient_estimate(config.gradient)) {
  const auto embedding =
      register_module("embedding", std::make_shared<torch::nn::Module>());
  frozen_ = embedding->register_buffer(
      "weight", torch::randn({config.num_codes, dim}) / std::sqrt(double(dim)));
  transform_ = register_module(
      "transform", Linear(torch::nn::LinearOptions(dim, dim).bias(false)));
}

Quantized SimVq::quantize(const at::Tensor& vectors, const QuantizerStep*) {
  const auto codebook = transform_(frozen_);
  const auto indices = nearest_codes(vectors, codebook);
  const auto codes = codebook.index_select(0, indices);
  const auto commitment = (vectors - codes.detach()).square().mean();
  return {.vectors = with_gradient(gradient_, vectors, codes),
          .indices = indices.unsqueeze(1),
          .loss = (vectors.detach() - codes).square().mean() +
                  config_.commitment_weight * commitment,
          .parts = {{"commitment", commitment}}};
}

at::Tensor SimVq::lookup(const at::Tensor& indices) {
  check_indices(indices, num_codes(), num_levels());
  return transform_(frozen_.index_select(0, indices.flatten()));
}

}  // namespace calotype
