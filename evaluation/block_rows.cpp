#include "evaluation/block_rows.h"

#include <torch/types.h>

namespace calotype {
namespace {

FeatureRows slice_of_rows(const FeatureRows& rows, int64_t begin, int64_t end) {
  if (begin == 0 && end == rows.indices.size(0)) return rows;
  const auto some = [&](const at::Tensor& of_each) {
    return of_each.defined() ? of_each.slice(0, begin, end) : of_each;
  };
  return {.features = some(rows.features),
          .logits = some(rows.logits),
          .labels = some(rows.labels),
          .indices = some(rows.indices)};
}

/// All of them, by their indices.
FeatureRows joined(const std::vector<FeatureRows>& parts) {
  const auto all = [&](at::Tensor FeatureRows::*of_each) {
    std::vector<at::Tensor> list;
    for (const auto& part : parts) list.push_back(part.*of_each);
    return list.front().defined() ? torch::cat(list) : list.front();
  };
  FeatureRows rows{.features = all(&FeatureRows::features),
                   .logits = all(&FeatureRows::logits),
                   .labels = all(&FeatureRows::labels),
                   .indices = all(&FeatureRows::indices)};
  const auto order = rows.indices.argsort();
  if (torch::equal(order, torch::arange(order.size(0)))) return rows;
  for (auto* of_each :
       {&rows.features, &rows.logits, &rows.labels, &rows.indices})
    if (of_each->defined()) *of_each = of_each->index_select(0, order);
  return rows;
}

}  // namespace

FeatureRows split_rows(const at::Tensor& rows, int64_t num_features,
                       const at::Tensor& labels, const at::Tensor& indices) {
  const auto K = rows.size(1) - num_features;
  return {.features = rows.narrow(1, 0, num_features),
          .logits = K > 0 ? rows.narrow(1, num_features, K) : at::Tensor(),
          .labels = labels,
          .indices = indices};
}

int64_t num_blocks(int64_t num_images) {
  return (num_images + kImagesPerBlock - 1) / kImagesPerBlock;
}

void BlockRows::add(const FeatureRows& rows) {
  const auto indices = rows.indices.contiguous();
  const auto* index = indices.data_ptr<int64_t>();
  const auto count = indices.size(0);
  for (int64_t begin = 0, end = 0; begin < count; begin = end) {
    const auto block = index[begin] / kImagesPerBlock;
    while (end < count && index[end] / kImagesPerBlock == block) ++end;
    if (block != block_) finish();
    block_ = block;
    waiting_.push_back(slice_of_rows(rows, begin, end));
  }
}

void BlockRows::finish() {
  if (!waiting_.empty()) visit_(joined(waiting_));
  waiting_.clear();
}

}  // namespace calotype
