#include "vqvae/learned_codebook.h"

#include <torch/nn/init.h>
#include <torch/utils.h>

#include "vqvae/nearest_code.h"

namespace calotype {

LearnedCodebook::LearnedCodebook(const QuantizerConfig& config, int64_t dim)
    : config_(config),
      gradient_(parse_gradient_estimate(config.gradient)),
      care_(config, config.num_codes) {
  embedding_ =
      register_module("embedding", torch::nn::Embedding(config.num_codes, dim));
  const double bound = 1.0 / double(config.num_codes);
  torch::nn::init::uniform_(embedding_->weight, -bound, bound);
}

Quantized LearnedCodebook::quantize(const at::Tensor& vectors,
                                    const QuantizerStep* training) {
  if (!is_training()) training = nullptr;  // frozen
  if (training && care_.wants_first_values()) {
    const torch::NoGradGuard no_grad;
    embedding_->weight.copy_(
        kmeans(vectors.detach(), config_.num_codes, *training));
    care_.has_first_values();
  }
  const auto indices = nearest_codes(vectors, embedding_->weight);
  const auto codes = embedding_->weight.index_select(0, indices);
  const auto to_codebook = (vectors.detach() - codes).square().mean();
  const auto commitment = (vectors - codes.detach()).square().mean();
  const auto beta = config_.commitment_weight;
  Quantized result{.vectors = with_gradient(gradient_, vectors, codes),
                   .indices = indices.unsqueeze(1),
                   .loss = config_.legacy_beta
                               ? commitment + beta * to_codebook
                               : to_codebook + beta * commitment,
                   .parts = {{"commitment", commitment}}};
  if (training) {
    const torch::NoGradGuard no_grad;
    const auto dead =
        care_.find_dead(indices, training->step).to(vectors.device());
    if (dead.numel() > 0)
      embedding_->weight.index_copy_(
          0, dead, CodebookCare::replacements(vectors, dead, *training));
  }
  return result;
}

void LearnedCodebook::keep_codes() {
  care_.has_first_values();
}

at::Tensor LearnedCodebook::lookup(const at::Tensor& indices) {
  check_indices(indices, num_codes(), num_levels());
  return embedding_->weight.index_select(0, indices.flatten());
}

}  // namespace calotype
