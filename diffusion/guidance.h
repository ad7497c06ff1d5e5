#pragma once

#include <ATen/core/Tensor.h>

#include <limits>
#include <memory>

#include "diffusion/denoiser.h"

namespace calotype {

/// Labels as a network of `num_classes` takes them: int64 [N], -1 ("no label")
/// replaced by the null class; undefined if num_classes is 0. Throws
/// ConfigError for labels outside [-1, num_classes).
at::Tensor with_null_class(const at::Tensor& labels, int64_t num_classes);

/// How answers are pushed away from weaker ones.
struct Guidance {
  /// weak + scale * (strong - weak). 1: not at all. With classes, weak is the
  /// answer without a label (classifier-free guidance, Ho and Salimans,
  /// arXiv:2207.12598, section 3.2, whose w is scale - 1); 0 is that answer
  /// alone.
  double scale = 1;

  /// Weak is the answer of this network to the same question, smaller or less
  /// trained (autoguidance, arXiv:2406.02507, section 4).
  std::shared_ptr<Denoiser> weak;

  /// Where to guide at all, by noise over signal (arXiv:2404.07724, section 3).
  double sigma_low = 0;
  double sigma_high = std::numeric_limits<double>::infinity();

  /// Share of the guided answer that is scaled back to the deviation of the
  /// strong one, in [0,1] (arXiv:2305.08891, section 3.4).
  double rescale = 0;

  /// Throws ConfigError.
  void validate() const;

  /// The same, and for a scale that a network of so many classes cannot have.
  void expect_of(int64_t num_classes) const;
};

/// The guided answer of `denoiser`, in one pass of N, one of 2N, or one of each
/// network. `sample`: [N,D,h,w]; `timestep`: float [N]; `labels`: int64 [N] in
/// [-1, classes); `sigma`: noise over signal. Of answers [N,2D,h,w] the
/// variances are not guided. Throws ConfigError as Guidance::expect_of.
at::Tensor guided_forward(Denoiser& denoiser, const at::Tensor& sample,
                          const at::Tensor& timestep, const at::Tensor& labels,
                          const Guidance& guidance, double sigma);

}  // namespace calotype
