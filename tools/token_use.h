#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "core/config.h"

namespace calotype {

/// How a set of tokens uses its codebook, and what it costs.
class TokenUse {
 public:
  explicit TokenUse(int64_t num_codes);

  /// `tokens`: int64 of any shape. Throws DataError for one outside
  /// [0, num_codes).
  void add(const at::Tensor& tokens);

  /// Adds codes in use, perplexity, dead codes, a picture of the histogram, and
  /// bits per pixel: of whole bits per token, and of an ideal entropy coder
  /// that knows the histogram.
  void write(Json& result, int64_t num_pixels) const;

 private:
  at::Tensor counts_;  // [K] int64
};

}  // namespace calotype
