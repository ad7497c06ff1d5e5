#include "vqvae/ema_codebook.h"

#include <torch/utils.h>

#include "vqvae/nearest_code.h"

namespace calotype {
namespace {

constexpr double kSmoothing = 1e-5;  // added to every count

}  // namespace

EmaCodebook::EmaCodebook(const QuantizerConfig& config, int64_t dim)
    : config_(config),
      gradient_(parse_gradient_estimate(config.gradient)),
      care_(config, config.num_codes) {
  const auto embedding =
      register_module("embedding", std::make_shared<torch::nn::Module>());
  codes_ = embedding->register_buffer(
      "weight", torch::randn({config.num_codes, dim}) / double(dim));
  sizes_ = torch::ones({config.num_codes});
  sums_ = codes_.clone();
}

std::vector<std::pair<std::string, at::Tensor>> EmaCodebook::training_state() {
  auto state = care_.state();
  state.emplace_back("sizes", sizes_);
  state.emplace_back("sums", sums_);
  return state;
}

void EmaCodebook::set_codes(const at::Tensor& codes) {
  codes_.copy_(prepare(codes));
}

Quantized EmaCodebook::quantize(const at::Tensor& vectors,
                                const QuantizerStep* training) {
  const auto inputs = prepare(vectors);
  if (!is_training()) training = nullptr;  // frozen
  if (training && care_.wants_first_values()) {
    const torch::NoGradGuard no_grad;
    set_codes(kmeans(inputs.detach(), config_.num_codes, *training));
    sums_.copy_(codes_);
    care_.has_first_values();
  }
  const auto indices = nearest_codes(inputs, codes_);
  const auto codes = codes_.index_select(0, indices);
  const auto commitment = (inputs - codes).square().mean();
  Quantized result{.vectors = with_gradient(gradient_, inputs, codes),
                   .indices = indices.unsqueeze(1),
                   .loss = config_.commitment_weight * commitment,
                   .parts = {{"commitment", commitment}}};
  if (training) learn(inputs.detach(), indices, *training);
  return result;
}

void EmaCodebook::learn(const at::Tensor& vectors, const at::Tensor& indices,
                        const QuantizerStep& training) {
  const torch::NoGradGuard no_grad;
  const auto K = config_.num_codes;
  const auto device = codes_.device();
  const auto [sums, counts] = sums_by_code(vectors, indices, K);
  const auto type = codes_.scalar_type();
  sizes_ = sizes_.to(device).lerp_(counts.to(type), 1 - config_.decay);
  sums_ = sums_.to(device).lerp_(sums.to(type), 1 - config_.decay);
  const auto total = sizes_.sum();
  const auto smoothed =
      (sizes_ + kSmoothing) / (total + double(K) * kSmoothing) * total;
  set_codes(sums_ / smoothed.unsqueeze(1));

  const auto dead = care_.find_dead(indices, training.step).to(device);
  if (dead.numel() == 0) return;
  const auto fresh = CodebookCare::replacements(vectors, dead, training);
  codes_.index_copy_(0, dead, fresh);
  sums_.index_copy_(0, dead, fresh);
  sizes_.index_fill_(0, dead, 1);
}

void EmaCodebook::keep_codes() {
  sums_.copy_(codes_);
  sizes_.fill_(1);
  care_.has_first_values();
}

at::Tensor EmaCodebook::lookup(const at::Tensor& indices) {
  check_indices(indices, num_codes(), num_levels());
  return codes_.index_select(0, indices.flatten());
}

}  // namespace calotype
