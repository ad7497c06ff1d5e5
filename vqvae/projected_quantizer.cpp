#include "vqvae/projected_quantizer.h"

#include <torch/torch.h>

#include <algorithm>

#include "vqvae/vectors.h"

namespace calotype {
namespace {

constexpr double kSmallest = 1e-8;  // variance that is told from none

}  // namespace

ProjectedQuantizer::ProjectedQuantizer(std::shared_ptr<Quantizer> inner,
                                       int64_t dim, int64_t code_dim,
                                       bool pca_init)
    : pca_init_(pca_init),
      fitted_(torch::zeros({}, torch::kLong)),
      inner_(std::move(inner)) {
  project_in_ = register_module("project_in", torch::nn::Linear(dim, code_dim));
  register_module("inner", inner_);
  project_out_ =
      register_module("project_out", torch::nn::Linear(code_dim, dim));
}

Quantized ProjectedQuantizer::quantize(const at::Tensor& vectors,
                                       const QuantizerStep* training) {
  const bool first = training && pca_init_ && fitted_.item<int64_t>() == 0;
  if (first) fit_before(vectors.detach());
  auto result = inner_->quantize(project_in_(vectors), training);
  if (first) {
    fit_behind(result.vectors.detach(), vectors.detach());
    fitted_.fill_(1);
  }
  result.vectors = project_out_(result.vectors);
  return result;
}

void ProjectedQuantizer::fit_before(const at::Tensor& vectors) {
  expect_finite(vectors);
  const torch::NoGradGuard no_grad;
  const auto x = vectors.to(torch::kCPU, torch::kDouble);
  const auto mean = x.mean(0);
  const auto [values, axes] =
      torch::linalg_eigh((x - mean).t().matmul(x - mean) / double(x.size(0)));
  // The largest stand last. More numbers in a code than in a vector: the others
  // keep their weights.
  const auto count = std::min(project_in_->weight.size(0), axes.size(1));
  const auto largest = values.narrow(0, axes.size(1) - count, count).flip(0);
  const auto weight = (axes.narrow(1, axes.size(1) - count, count).flip(1) *
                       largest.clamp_min(kSmallest).rsqrt())
                          .t();
  project_in_->weight.narrow(0, 0, count).copy_(weight);
  project_in_->bias.narrow(0, 0, count).copy_(-weight.matmul(mean));
}

void ProjectedQuantizer::fit_behind(const at::Tensor& codes,
                                    const at::Tensor& vectors) {
  const torch::NoGradGuard no_grad;
  const auto y = vectors.to(torch::kCPU, torch::kDouble);
  const auto c = codes.to(torch::kCPU, torch::kDouble);
  const auto rows = torch::cat({c, torch::ones_like(c.narrow(1, 0, 1))}, 1);
  const auto normal =
      rows.t().matmul(rows) + kSmallest * double(rows.size(0)) *
                                  torch::eye(rows.size(1), rows.options());
  const auto map = torch::linalg_solve(normal, rows.t().matmul(y));
  project_out_->weight.copy_(map.narrow(0, 0, c.size(1)).t());
  project_out_->bias.copy_(map[c.size(1)]);
}

std::vector<std::pair<std::string, at::Tensor>>
ProjectedQuantizer::training_state() {
  auto state = inner_->training_state();
  state.emplace_back("fitted", fitted_);
  return state;
}

at::Tensor ProjectedQuantizer::lookup(const at::Tensor& indices) {
  return project_out_(inner_->lookup(indices));
}

}  // namespace calotype
