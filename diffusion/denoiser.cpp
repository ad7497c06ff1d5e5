#include "diffusion/denoiser.h"

#include <vector>

#include "core/profile.h"
#include "nn/sliced.h"

namespace calotype {

at::Tensor denoise(Denoiser& denoiser, const at::Tensor& sample,
                   const at::Tensor& timestep, const at::Tensor& class_labels) {
  const ProfileZone zone(at::GradMode::is_enabled() ? "forward" : "denoise",
                         ZoneKind::kNetwork);
  return in_slices(denoiser.module(), {sample, timestep, class_labels},
                   [&denoiser](const std::vector<at::Tensor>& inputs) {
                     return denoiser.forward(inputs[0], inputs[1], inputs[2]);
                   });
}

}  // namespace calotype
