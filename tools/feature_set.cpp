#include "tools/feature_set.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/random.h"
#include "metrics/frechet_distance.h"
#include "metrics/kernel_distance.h"
#include "metrics/set_overlap.h"

namespace calotype {

FeatureSet::FeatureSet(int64_t size, int64_t max_rows, uint64_t seed)
    : drawn_(size_t(size), max_rows == 0 || max_rows >= size) {
  if (drawn_.empty() || drawn_.front()) return;
  const Permutation order(size, seed, 0);
  for (int64_t i = 0; i < max_rows; ++i) drawn_[size_t(order(i))] = true;
}

void FeatureSet::add(const at::Tensor& features, const at::Tensor& indices) {
  moments_.add(features);
  std::vector<int64_t> wanted;
  for (int64_t i = 0; i < indices.size(0); ++i)
    if (drawn_[size_t(indices[i].item<int64_t>())]) wanted.push_back(i);
  if (!wanted.empty())
    rows_.push_back(features.to(torch::kCPU, torch::kFloat)
                        .index_select(0, torch::tensor(wanted)));
}

at::Tensor FeatureSet::rows() const {
  return rows_.empty() ? torch::zeros({0, 0}) : torch::cat(rows_);
}

Json compare_sets(const FeatureSet& shown, const FeatureSet& reference) {
  const auto made = shown.rows(), real = reference.rows();
  const auto fewest = std::min(made.size(0), real.size(0));
  const SetOverlapConfig neighbours;
  Json result{{"frechet_distance", nullptr},
              {"kid", nullptr},
              {"precision", nullptr},
              {"recall", nullptr},
              {"density", nullptr},
              {"coverage", nullptr},
              {"manifold_samples",
               {{"images", made.size(0)},
                {"reference_images", real.size(0)},
                {"precision_k", neighbours.precision_neighbours},
                {"density_k", neighbours.density_neighbours}}}};
  if (std::min(shown.moments().count(), reference.moments().count()) >= 2)
    result["frechet_distance"] =
        frechet_distance(shown.moments(), reference.moments());
  if (fewest >= 2) result["kid"] = kernel_distance(real, made);
  if (fewest >= neighbours.min_rows()) {
    const auto overlap = set_overlap(real, made, neighbours);
    result["precision"] = overlap.precision;
    result["recall"] = overlap.recall;
    result["density"] = overlap.density;
    result["coverage"] = overlap.coverage;
  }
  return result;
}

}  // namespace calotype
