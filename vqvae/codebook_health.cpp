#include "vqvae/codebook_health.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>

namespace calotype {
namespace {

constexpr double kDecay = 1 - 1.0 / double(CodebookHealth::kWindow);
constexpr double kCollapsed = 0.1;  // of the codes, as perplexity

}  // namespace

double perplexity(const at::Tensor& counts) {
  const auto c = counts.to(torch::kDouble);
  const auto total = c.sum(-1, /*keepdim=*/true).clamp_min(1e-300);
  const auto share = c / total;
  const auto entropy = -(share * share.clamp_min(1e-300).log()).sum(-1);
  return entropy.exp().mean().item<double>();
}

at::Tensor count_codes(const at::Tensor& indices,
                       const std::vector<int64_t>& codebooks,
                       int64_t num_codes) {
  const auto count = *std::max_element(codebooks.begin(), codebooks.end()) + 1;
  const auto first =
      torch::tensor(codebooks, torch::kLong) * num_codes;  // of each level
  return torch::bincount((indices + first).flatten(), {}, count * num_codes)
      .view({count, num_codes});
}

CodebookHealth::CodebookHealth(int64_t num_codes,
                               std::vector<int64_t> codebooks)
    : codebooks_(std::move(codebooks)),
      observed_steps_(torch::zeros({}, torch::kLong)) {
  const auto none = torch::zeros({0, int64_t(codebooks_.size())}, torch::kLong);
  idle_steps_ = count_codes(none, codebooks_, num_codes);
  counts_ = idle_steps_.to(torch::kFloat);
}

void CodebookHealth::observe(const at::Tensor& indices, int64_t step) {
  const torch::NoGradGuard no_grad;
  const auto counts =
      count_codes(indices.to(torch::kCPU), codebooks_, counts_.size(1));
  counts_.lerp_(counts.to(torch::kFloat), 1 - kDecay);
  if (step != last_step_) {
    idle_steps_.add_(1);
    observed_steps_.add_(1);
  }
  last_step_ = step;
  idle_steps_.masked_fill_(counts.gt(0), 0);
}

double CodebookHealth::perplexity() const {
  return calotype::perplexity(counts_);
}

int64_t CodebookHealth::num_dead() const {
  return idle_steps_.ge(kWindow).sum().item<int64_t>();
}

double CodebookHealth::usage() const {
  return 1 - double(num_dead()) / double(idle_steps_.numel());
}

std::string CodebookHealth::warning() const {
  const auto steps = observed_steps_.item<int64_t>();
  const auto num_codes = double(counts_.size(1));
  if (steps < 5 * kWindow || perplexity() >= kCollapsed * num_codes) return {};
  return fmt::format(
      "the codebook collapses: {:.0f} of {:.0f} codes do all the work "
      "(perplexity), {} were not used in {} steps; quantizer.kmeans_init and "
      "quantizer.restart_after bring codes back",
      perplexity(), num_codes, num_dead(), kWindow);
}

}  // namespace calotype
