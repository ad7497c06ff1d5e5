#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace calotype {

/// Rows of a set on their way into a comparison.
struct FeatureRows {
  at::Tensor features;  // [N,F] float on the CPU
  at::Tensor logits;    // [N,K]; undefined without classes
  at::Tensor labels;    // int64 [N]
  at::Tensor indices;   // int64 [N], places in the set

  /// Nobody asks for the score of a reference.
  FeatureRows without_logits() const {
    return {.features = features,
            .logits = {},
            .labels = labels,
            .indices = indices};
  }
};

/// `rows`: [N,F+K] as FeatureNetwork::rows() gives them.
FeatureRows split_rows(const at::Tensor& rows, int64_t num_features,
                       const at::Tensor& labels, const at::Tensor& indices);

/// Images of the index whose rows are added up together, whatever batches they
/// came in (ADR 7): 16, as FID's Inception takes, and 128 divide it, and of
/// 50,000 images it leaves 32 processes six blocks or seven each.
inline constexpr int64_t kImagesPerBlock = 256;

/// How many blocks a set of so many images has.
int64_t num_blocks(int64_t num_images);

/// Gives rows that come block after block on as blocks, each in the order of
/// the index, so that sums over them are the same for any batches.
class BlockRows {
 public:
  explicit BlockRows(std::function<void(const FeatureRows&)> visit)
      : visit_(std::move(visit)) {}

  /// Rows of whatever blocks, of which none comes back.
  void add(const FeatureRows& rows);

  /// To be called after the last.
  void finish();

 private:
  std::function<void(const FeatureRows&)> visit_;
  int64_t block_ = -1;
  std::vector<FeatureRows> waiting_;  // of that block
};

}  // namespace calotype
