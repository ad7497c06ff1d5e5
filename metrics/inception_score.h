#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace calotype {

/// The inception score of a set of images that come in batches
/// (arXiv:1606.03498, section 4): exp of the mean KL divergence of an image's
/// class probabilities from those of its split, over splits of the set in its
/// order. At least 1, at most the number of classes. Memory does not grow with
/// the number of images.
class InceptionScore {
 public:
  /// Of a set of `size` images. Throws ConfigError unless 1 <= splits <= size.
  InceptionScore(int64_t size, int64_t splits = 10);

  /// `logits`: [N,K]; `indices`: int64 [N], places in the set, in [0, size).
  void add(const at::Tensor& logits, const at::Tensor& indices);

  struct Score {
    double mean = 0, std = 0;  // over the splits; std as of a population
  };

  /// Throws ConfigError if a split has no image, since those that could not be
  /// read are missing.
  Score score() const;

 private:
  int64_t size_, splits_;
  at::Tensor counts_;         // [splits] double
  at::Tensor probabilities_;  // [splits,K] double, sums
  at::Tensor log_terms_;      // [splits] double, sums of p log p
};

}  // namespace calotype
