#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace calotype {

/// What every tokenizer does: images to grids of code numbers and back. A
/// tokenizer is a LatentCodec too, whose latents are what is quantized.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// `images`: [N,C,H,W] in [-1,1]. Returns int64 [N,L,h,w] in [0,num_codes()).
  virtual at::Tensor tokenize(const at::Tensor& images) = 0;

  /// Tokens [N,L,h,w] to images [N,C,H,W]. Throws DataError for a token outside
  /// [0,num_codes()).
  virtual at::Tensor detokenize(const at::Tensor& tokens) = 0;

  virtual int64_t num_codes() const = 0;   // K
  virtual int64_t num_levels() const = 0;  // L

  /// Which codebook each level's tokens are of, numbered from 0.
  virtual std::vector<int64_t> codebooks() const {
    std::vector<int64_t> each(static_cast<size_t>(num_levels()));
    std::iota(each.begin(), each.end(), 0);
    return each;
  }
};

}  // namespace calotype
