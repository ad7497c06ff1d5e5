#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// Standard normal numbers as torch.randn draws them on the CPU after
/// torch.manual_seed(seed), one tensor after the other: a Mersenne twister, and
/// Box and Muller's transform in blocks of 16. For pictures that a pipeline of
/// diffusers draws too; all else of ours is addressed (core/random.h).
class TorchNoise {
 public:
  explicit TorchNoise(uint64_t seed);

  /// float of `shape`.
  at::Tensor next(at::IntArrayRef shape);

 private:
  at::Generator generator_;
};

}  // namespace calotype
