#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/config.h"

namespace calotype {

/// How a set of tokens uses its codebook, and what it costs.
class TokenUse {
 public:
  /// `codebooks`: which one each level of tokens is of, numbered from 0.
  TokenUse(int64_t num_codes, std::vector<int64_t> codebooks);

  /// `tokens`: int64 [N,L,h,w]. Throws DataError for one outside
  /// [0, num_codes).
  void add(const at::Tensor& tokens);

  /// How often each code was met, int64 [B,K] of B codebooks, and more of it.
  const at::Tensor& counts() const { return counts_; }
  void add_counts(const at::Tensor& counts) { counts_ += counts; }

  /// Adds codes in use, perplexity, dead codes, a picture of the histogram, and
  /// bits per pixel: of whole bits per token, and of an ideal entropy coder
  /// that knows the histogram. Of several codebooks the sums, a list of
  /// perplexities and of pictures, and the bits of a token on average.
  void write(Json& result, int64_t num_pixels) const;

 private:
  std::vector<int64_t> codebooks_;
  at::Tensor counts_;  // [B,K] int64, of B codebooks
};

}  // namespace calotype
