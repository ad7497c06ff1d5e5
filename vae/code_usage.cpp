#include "vae/code_usage.h"

#include <torch/types.h>

#include "vae/gaussian.h"

namespace calotype {
namespace {

std::vector<double> to_vector(const at::Tensor& values) {
  const auto flat = values.contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

}  // namespace

at::Tensor num_active_units(const at::Tensor& means) {
  return (means.flatten(1).var(0, /*unbiased=*/false) > kActiveVariance)
      .sum()
      .to(torch::kFloat);
}

void CodeUsage::add(const LatentGrid& grid) {
  const auto means = grid.mean.flatten(1).to(torch::kCPU, torch::kDouble);
  if (count_ == 0) {
    sum_ = torch::zeros({means.size(1)}, torch::kDouble);
    sum_of_squares_ = sum_.clone();
    kl_ = sum_.clone();
  }
  count_ += means.size(0);
  sum_ += means.sum(0);
  sum_of_squares_ += means.square().sum(0);
  if (grid.logvar.defined())
    kl_ += kl_elements(grid).flatten(1).to(torch::kCPU, torch::kDouble).sum(0);
}

std::vector<double> CodeUsage::variances() const {
  if (count_ == 0) return {};
  const auto mean = sum_ / double(count_);
  return to_vector(
      (sum_of_squares_ / double(count_) - mean.square()).clamp_min(0));
}

int64_t CodeUsage::num_active() const {
  int64_t active = 0;
  for (const auto variance : variances()) active += variance > kActiveVariance;
  return active;
}

std::vector<double> CodeUsage::kl_per_number() const {
  return count_ == 0 ? std::vector<double>() : to_vector(kl_ / double(count_));
}

double CodeUsage::kl_nats() const {
  return count_ == 0 ? 0 : kl_.sum().item<double>() / double(count_);
}

}  // namespace calotype
