#include "diffusion/denoiser.h"

#include <vector>

#include "nn/sliced.h"

namespace calotype {

at::Tensor denoise(Denoiser& denoiser, const at::Tensor& sample,
                   const at::Tensor& timestep, const at::Tensor& class_labels) {
  return in_slices(denoiser.module(), {sample, timestep, class_labels},
                   [&denoiser](const std::vector<at::Tensor>& inputs) {
                     return denoiser.forward(inputs[0], inputs[1], inputs[2]);
                   });
}

}  // namespace calotype
