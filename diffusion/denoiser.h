#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>

namespace calotype {

/// What every diffusion network does: look at noisy latents and answer epsilon,
/// x_0 or v, whichever it was trained for.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  /// `sample`: [N,D,h,w]. `timestep`: [N] float in what takes_timesteps()
  /// allows. `class_labels`: int64 [N] in [0, num_classes()], where
  /// num_classes() itself is the null class "no label"; undefined for an
  /// unconditional network. Returns [N,D,h,w], or [N,2D,h,w] of a network that
  /// learns the variance of each step as well: the answer first, then v of
  /// arXiv:2102.09672, equation 15. May be called for several slices of a batch
  /// at once.
  virtual at::Tensor forward(const at::Tensor& sample,
                             const at::Tensor& timestep,
                             const at::Tensor& class_labels) = 0;

  /// Number of classes without the null class, or 0 for an unconditional
  /// network. The class embedding has one row more: the null class is its last.
  virtual int64_t num_classes() const = 0;

  /// Whether it can be told timesteps anywhere in [low, high]: counted ones, T
  /// of a flow, and of EDM log(sigma) / 4, which may be negative.
  virtual bool takes_timesteps(double low, double high) const {
    return low <= high;
  }

  virtual torch::nn::Module& module() = 0;
};

/// forward(), for slices of the rows side by side (nn/sliced.h).
at::Tensor denoise(Denoiser& denoiser, const at::Tensor& sample,
                   const at::Tensor& timestep, const at::Tensor& class_labels);

}  // namespace calotype
