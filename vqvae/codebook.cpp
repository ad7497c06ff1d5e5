#include "vqvae/codebook.h"

#include <torch/utils.h>

#include "core/random.h"
#include "vqvae/nearest_code.h"

namespace calotype {
namespace {

/// `count` numbers in [0,size), by name.
at::Tensor draw_rows(int64_t count, int64_t size, Stream stream,
                     const QuantizerStep& step) {
  auto rows = torch::empty({count}, torch::kLong);
  auto* row = rows.data_ptr<int64_t>();
  for (int64_t i = 0; i < count; ++i)
    row[i] = uniform_index({.seed = step.seed,
                            .stream = stream,
                            .sample = uint64_t(i),
                            .step = uint32_t(step.step)},
                           size);
  return rows;
}

}  // namespace

CodeSums sums_by_code(const at::Tensor& vectors, const at::Tensor& nearest,
                      int64_t num_codes) {
  auto sums = torch::zeros({num_codes, vectors.size(1)},
                           vectors.options().dtype(torch::kDouble));
  sums.index_add_(0, nearest, vectors.to(torch::kDouble));
  return {sums, torch::bincount(nearest, {}, num_codes).to(torch::kDouble)};
}

at::Tensor kmeans(const at::Tensor& vectors, int64_t num_codes,
                  const QuantizerStep& step, int64_t iterations) {
  const torch::NoGradGuard no_grad;
  const auto M = vectors.size(0);
  at::Tensor centres;
  if (M >= num_codes) {
    // Distinct rows: a permutation that is a function of (seed, step).
    const Permutation order(M, step.seed, uint32_t(step.step));
    auto rows = torch::empty({num_codes}, torch::kLong);
    for (int64_t i = 0; i < num_codes; ++i) rows[i] = order(i);
    centres = vectors.index_select(0, rows.to(vectors.device()));
  } else {
    const auto rows = draw_rows(num_codes, M, Stream::kCodebook, step);
    const auto spread = vectors.std(0, /*unbiased=*/false);
    const auto noise =
        normal_rows({vectors.size(1)}, torch::arange(num_codes), step.seed,
                    Stream::kCodebook, uint32_t(step.step))
            .to(vectors.device());
    centres = vectors.index_select(0, rows.to(vectors.device())) +
              0.01 * spread * noise;
  }
  for (int64_t i = 0; i < iterations; ++i) {
    const auto nearest = nearest_codes(vectors, centres);
    const auto [sums, counts] = sums_by_code(vectors, nearest, num_codes);
    const auto means =
        (sums / counts.clamp_min(1).unsqueeze(1)).to(vectors.scalar_type());
    centres = torch::where(counts.unsqueeze(1) > 0, means, centres);
  }
  return centres;
}

CodebookCare::CodebookCare(const QuantizerConfig& config, int64_t num_codes)
    : kmeans_init_(config.kmeans_init),
      restart_after_(config.restart_after),
      initialised_(torch::zeros({}, torch::kLong)),
      idle_steps_(torch::zeros({num_codes}, torch::kLong)) {}

bool CodebookCare::wants_first_values() const {
  return kmeans_init_ && initialised_.item<int64_t>() == 0;
}

void CodebookCare::has_first_values() {
  initialised_.fill_(1);
}

at::Tensor CodebookCare::find_dead(const at::Tensor& indices, int64_t step) {
  const bool begins = step != last_step_;
  last_step_ = step;
  if (begins) idle_steps_.add_(1);
  idle_steps_.index_fill_(0, indices.to(torch::kCPU), 0);
  if (!begins || restart_after_ == 0) return torch::empty({0}, torch::kLong);
  const auto dead = idle_steps_.ge(restart_after_).nonzero().flatten();
  idle_steps_.index_fill_(0, dead, 0);
  return dead;
}

at::Tensor CodebookCare::replacements(const at::Tensor& vectors,
                                      const at::Tensor& codes,
                                      const QuantizerStep& step) {
  auto rows = torch::empty_like(codes);
  for (int64_t i = 0; i < codes.size(0); ++i)
    rows[i] = uniform_index({.seed = step.seed,
                             .stream = Stream::kCodebook,
                             .sample = uint64_t(codes[i].item<int64_t>()),
                             .step = uint32_t(step.step)},
                            vectors.size(0));
  return vectors.detach().index_select(0, rows.to(vectors.device()));
}

}  // namespace calotype
