#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace calotype {

/// The inception score of a set of images that come in batches
/// (arXiv:1606.03498, section 4): exp of the mean KL divergence of an image's
/// class probabilities from those of its split, over splits of the set. At
/// least 1, at most the number of classes. Memory does not grow with the number
/// of images.
class InceptionScore {
 public:
  explicit InceptionScore(int64_t splits = 10);

  /// `logits`: [N,K]; `split_of`: int64 [N] in [0, splits). Splits must not
  /// depend on what images show, as runs of a sorted set would.
  void add(const at::Tensor& logits, const at::Tensor& split_of);

  /// Whether each split has an image.
  bool has_score() const;

  struct Score {
    double mean = 0, std = 0;  // over the splits; std as of a population
  };

  /// Throws ConfigError unless has_score().
  Score score() const;

 private:
  int64_t splits_;
  at::Tensor counts_;         // [splits] double
  at::Tensor probabilities_;  // [splits,K] double, sums
  at::Tensor log_terms_;      // [splits] double, sums of p log p
};

}  // namespace calotype
