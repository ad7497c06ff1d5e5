#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "diffusion/torch_noise.h"

namespace calotype {

/// Noise as a pipeline of diffusers draws it: of all images of a call at once,
/// where each walk starts, and then what each step adds.
struct PipelineNoise {
  int64_t num_images = 1;  // of the whole call
  int64_t first = 0;       // which of them is the first row of a request

  /// As DiTPipeline walks: steps draw a second row for each image that is
  /// guided, which is not shown; and noise is neither scaled at the start nor
  /// scaled back after the network has seen it. The latter shows with samplers
  /// of Euler's kind alone, whose pictures it spoils, there as here.
  bool is_dit = false;
};

/// The rows of a request among that noise, in the order of the calls.
class PipelineDraws {
 public:
  /// `grid`: [D,h,w]. `is_guided`: whether the walk asks for two answers.
  PipelineDraws(const PipelineNoise& noise, uint64_t seed, at::IntArrayRef grid,
                bool is_guided);

  at::Tensor initial(int64_t num_rows);  // [N,D,h,w], ahead of all steps
  at::Tensor of_step(int64_t num_rows);

 private:
  at::Tensor rows(int64_t num_drawn, int64_t num_rows);

  PipelineNoise noise_;
  TorchNoise torch_;
  std::vector<int64_t> grid_;
  bool is_guided_;
};

}  // namespace calotype
