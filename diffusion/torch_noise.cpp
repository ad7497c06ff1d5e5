#include "diffusion/torch_noise.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>

namespace calotype {

TorchNoise::TorchNoise(uint64_t seed)
    : generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor TorchNoise::next(at::IntArrayRef shape) {
  return at::randn(shape, generator_, at::TensorOptions(at::kFloat));
}

}  // namespace calotype
