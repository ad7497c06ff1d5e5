#include "diffusion/pipeline_noise.h"

namespace calotype {

PipelineDraws::PipelineDraws(const PipelineNoise& noise, uint64_t seed,
                             at::IntArrayRef grid, bool is_guided)
    : noise_(noise), torch_(seed), grid_(grid.vec()), is_guided_(is_guided) {}

at::Tensor PipelineDraws::rows(int64_t num_drawn, int64_t num_rows) {
  auto shape = grid_;
  shape.insert(shape.begin(), num_drawn);
  return torch_.next(shape).narrow(0, noise_.first, num_rows);
}

at::Tensor PipelineDraws::initial(int64_t num_rows) {
  return rows(noise_.num_images, num_rows);
}

at::Tensor PipelineDraws::of_step(int64_t num_rows) {
  const bool doubled = noise_.is_dit && is_guided_;
  return rows((doubled ? 2 : 1) * noise_.num_images, num_rows);
}

}  // namespace calotype
