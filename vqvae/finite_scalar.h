#pragma once

#include "vqvae/quantizer.h"

namespace calotype {

/// Each number is squashed and rounded to one of a few levels
/// (arXiv:2309.15505, section 3 and appendix A.1); codes lie in [-1,1]. The
/// index counts levels, the first dimension fastest. Learns nothing and asks
/// for nothing; the rounding is straight-through whatever `gradient` says.
class FiniteScalar : public Quantizer {
 public:
  /// `levels`: per dimension, at least 2.
  explicit FiniteScalar(const std::vector<int64_t>& levels);

  Quantized quantize(const at::Tensor& vectors,
                     const QuantizerStep* training) override;
  at::Tensor lookup(const at::Tensor& indices) override;
  int64_t num_codes() const override { return num_codes_; }

 private:
  int64_t num_codes_ = 1;
  // [D]: levels, half of them rounded down, and what one level counts.
  at::Tensor levels_, half_width_, basis_;
};

}  // namespace calotype
