#include "vqvae/nearest_code.h"

#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/parallel.h"
#include "nn/comparable_rows.h"
#include "nn/distance_kernel.h"
#include "vqvae/vectors.h"

namespace calotype {
namespace {

constexpr int64_t kBlockRows = 1024;  // vectors at a time
constexpr int64_t kBlockCodes = 1024;
constexpr int64_t kNumbersPerTask = 1 << 16;  // products

/// A codebook as the search wants it.
struct Codes {
  ComparableRows rows;
  std::vector<float> half_norms;  // squared, halved; about right
  std::vector<float> reaches;

  Codes(const at::Tensor& codes, const at::Tensor& centre, double scale)
      : rows(codes, centre, scale) {
    const auto halves = rows.rounded().square().sum(1).mul_(0.5);
    half_norms.assign(halves.data_ptr<float>(),
                      halves.data_ptr<float>() + halves.numel());
    for (int64_t j = 0; j < rows.size(); ++j)
      reaches.push_back(rows.reach(j, 0));
  }
};

/// Writes the number of the nearest code of each row to `nearest`.
void find_nearest(const ComparableRows& rows, const Codes& codes,
                  int64_t* nearest) {
  std::vector<double> distances(size_t(rows.size()),
                                std::numeric_limits<double>::infinity());
  for_each_tile(
      rows, codes.rows, /*upper=*/false, [&](const ProductTile& tile) {
        const auto* half_norms = codes.half_norms.data() + tile.column;
        const auto* reaches = codes.reaches.data() + tile.column;
        parallel_for(
            0, tile.rows, grain_of(tile.columns, kNumbersPerTask),
            [&](int64_t begin, int64_t end) {
              std::vector<int32_t> found(size_t(tile.columns));
              for (int64_t r = begin; r < end; ++r) {
                const auto i = tile.row + r;
                auto& distance = distances[size_t(i)];
                const auto* products = tile.products + r * tile.columns;
                // Nearly always the nearest, so that few others are left.
                const auto likely =
                    tile.column +
                    find_largest(products, half_norms, tile.columns);
                const auto limit =
                    std::min(distance, rows.distance(i, codes.rows, likely));
                const auto count =
                    find_at_least(products, reaches, rows.reach(i, limit),
                                  tile.columns, found.data());
                for (int64_t n = 0; n < count; ++n) {
                  const auto j = tile.column + found[size_t(n)];
                  const auto apart = j == likely && count == 1
                                         ? limit
                                         : rows.distance(i, codes.rows, j);
                  if (apart >= distance) continue;
                  distance = apart;
                  nearest[i] = j;
                }
              }
            });
      });
}

}  // namespace

at::Tensor nearest_by_operations(const at::Tensor& vectors,
                                 const at::Tensor& codebook) {
  constexpr int64_t kByDifferences = 2;  // and not by products
  const auto M = vectors.size(0), K = codebook.size(0);
  const auto codes = codebook.to(torch::kDouble);
  const auto places = torch::arange(K, vectors.options().dtype(torch::kLong));
  auto nearest = torch::zeros({M}, places.options());
  for (int64_t row = 0; row < M; row += kBlockRows) {
    const auto rows = std::min(kBlockRows, M - row);
    const auto x = vectors.narrow(0, row, rows).to(torch::kDouble);
    auto found = nearest.narrow(0, row, rows);
    auto best = torch::full({rows}, std::numeric_limits<double>::infinity(),
                            x.options());
    for (int64_t code = 0; code < K; code += kBlockCodes) {
      const auto count = std::min(kBlockCodes, K - code);
      const auto apart =
          torch::cdist(x, codes.narrow(0, code, count), 2.0, kByDifferences);
      const auto least = apart.amin(1);
      // The first of equals, which argmin does not promise.
      const auto index = torch::where(apart == least.unsqueeze(1),
                                      places.narrow(0, code, count), K)
                             .amin(1);
      const auto better = least < best;
      found.copy_(torch::where(better, index, found));
      best = torch::where(better, least, best);
    }
  }
  return nearest;
}

at::Tensor nearest_codes(const at::Tensor& vectors,
                         const at::Tensor& codebook) {
  const torch::NoGradGuard no_grad;
  check_shape("quantizer", "codebook", codebook, {-1, -1});
  const auto K = codebook.size(0), D = codebook.size(1);
  check_shape("quantizer", "vectors", vectors, {-1, D});
  const auto M = vectors.size(0);
  expect_finite(vectors);
  if (!codebook.isfinite().all().item<bool>())
    throw NumericError(
        "quantizer: the codebook holds a number that is not finite");
  if (M == 0 || K < 2 || D == 0)
    return torch::zeros({M}, vectors.options().dtype(torch::kLong));

  if (!vectors.is_cpu()) return nearest_by_operations(vectors, codebook);
  const auto wide = codebook.to(torch::kDouble);
  const auto centre = wide.mean(0);
  const auto scale = comparable_scale(vectors, codebook);
  const Codes codes(wide.contiguous(), centre, scale);
  auto nearest = torch::zeros({M}, torch::kLong);
  for (int64_t row = 0; row < M; row += kBlockRows) {
    const auto block = vectors.narrow(0, row, std::min(kBlockRows, M - row));
    find_nearest({block.to(torch::kDouble).contiguous(), centre, scale}, codes,
                 nearest.data_ptr<int64_t>() + row);
  }
  return nearest;
}

}  // namespace calotype
