#include "vqvae/nearest_code.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/check.h"
#include "vqvae/vectors.h"

namespace calotype {
namespace {

// One block of scores is 4 MiB of float: it stays in the second-level caches
// while it is written and searched.
constexpr int64_t kBlockRows = 1024;
constexpr int64_t kBlockCodes = 1024;

}  // namespace

at::Tensor nearest_codes(const at::Tensor& vectors,
                         const at::Tensor& codebook) {
  const torch::NoGradGuard no_grad;
  check_shape("quantizer", "codebook", codebook, {-1, -1});
  const auto K = codebook.size(0), D = codebook.size(1);
  check_shape("quantizer", "vectors", vectors, {-1, D});
  const auto M = vectors.size(0);
  expect_finite(vectors);
  // |x - c|^2 is smallest where c.x - |c|^2 / 2 is largest.
  const auto offsets = codebook.square().sum(1).mul_(-0.5);
  auto nearest = torch::zeros({M}, vectors.options().dtype(torch::kLong));
  for (int64_t row = 0; row < M; row += kBlockRows) {
    const auto rows = std::min(kBlockRows, M - row);
    const auto x = vectors.narrow(0, row, rows);
    auto found = nearest.narrow(0, row, rows);
    at::Tensor best;
    for (int64_t code = 0; code < K; code += kBlockCodes) {
      const auto codes = std::min(kBlockCodes, K - code);
      const auto scores = torch::addmm(offsets.narrow(0, code, codes), x,
                                       codebook.narrow(0, code, codes).t());
      const auto [score, index] = scores.max(1);
      if (!best.defined()) {
        best = score;
        found.copy_(index);
        continue;
      }
      const auto better = score > best;
      found.copy_(torch::where(better, index + code, found));
      best = torch::where(better, score, best);
    }
  }
  return nearest;
}

}  // namespace calotype
