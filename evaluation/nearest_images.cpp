#include "evaluation/nearest_images.h"

#include <torch/types.h>

#include <algorithm>

#include "core/check.h"

namespace calotype {
namespace {

constexpr double kCopyRatio = 1 / 3.;
constexpr int64_t kBlockNumbers = 1 << 21;  // 16 MiB of doubles

/// Of some queries the rows that may be nearest, and how near: int64 and double
/// [q,k], k up to twice as many as are kept.
std::pair<at::Tensor, at::Tensor> candidates_of(const at::Tensor& queries,
                                                const at::Tensor& rows) {
  // Products tell who is near, up to rounding, which is that of numbers around
  // zero; differences how near, so that equal rows are at distance 0.
  const auto centre = rows.mean(0);
  const auto near_zero = rows - centre;
  const auto cost =
      near_zero.square().sum(1) - 2 * (queries - centre).matmul(near_zero.t());
  const auto near = std::get<1>(
      cost.topk(std::min(2 * NearestImages::kNeighbours, rows.size(0)), 1,
                /*largest=*/false));
  const auto candidates = rows.index_select(0, near.flatten())
                              .view({-1, near.size(1), rows.size(1)});
  return {near, (candidates - queries.unsqueeze(1)).norm(2, {2})};
}

}  // namespace

NearestImages::NearestImages(const at::Tensor& queries)
    : queries_(queries.to(torch::kDouble)),
      indices_(torch::empty({queries.size(0), 0}, torch::kLong)),
      distances_(torch::empty({queries.size(0), 0}, torch::kDouble)) {
  check_shape("nearest images", "queries", queries, {-1, -1});
}

void NearestImages::add(const at::Tensor& features, const at::Tensor& indices) {
  check_shape("nearest images", "features", features, {-1, queries_.size(1)});
  const auto rows = features.to(torch::kDouble);
  // Not all queries at once: each has a distance to each row, and takes some
  // whole rows.
  const auto numbers = std::max(rows.size(0), 2 * kNeighbours * rows.size(1));
  const auto block = std::max<int64_t>(1, kBlockNumbers / numbers);
  std::vector<at::Tensor> nears, aparts;
  for (const auto& some : queries_.split(block)) {
    auto [near, apart] = candidates_of(some, rows);
    nears.push_back(std::move(near));
    aparts.push_back(std::move(apart));
  }
  const auto near = torch::cat(nears);
  const auto distances = torch::cat({distances_, torch::cat(aparts)}, 1);
  const auto places = torch::cat(
      {indices_, indices.index_select(0, near.flatten()).view_as(near)}, 1);
  const auto [nearest, order] =
      distances.topk(std::min(kNeighbours, distances.size(1)), 1,
                     /*largest=*/false, /*sorted=*/true);
  distances_ = nearest;
  indices_ = places.gather(1, order);
}

Json NearestImages::summary() const {
  Json result{{"images", queries_.size(0)},
              {"median_distance", nullptr},
              {"likely_copies", nullptr}};
  if (queries_.size(0) == 0 || distances_.size(1) < 2) return result;
  const auto nearest = distances_.select(1, 0);
  result["median_distance"] = nearest.median().item<double>();
  result["likely_copies"] = nearest.lt(distances_.select(1, 1) * kCopyRatio)
                                .to(torch::kDouble)
                                .mean()
                                .item<double>();
  return result;
}

}  // namespace calotype
