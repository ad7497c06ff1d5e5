#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "core/latent_grid.h"

// Whether a variational code is used: posterior collapse shows as code numbers
// that are the prior whatever the image.
namespace calotype {

/// A code number is active if its posterior mean varies over the images by more
/// than this (Burda et al., arXiv:1509.00519, section 5.2).
inline constexpr double kActiveVariance = 0.01;

/// Active numbers of a batch of posterior means [N,D,h,w]: float scalar.
at::Tensor num_active_units(const at::Tensor& means);

/// The same over a whole set, with the KL of each code number.
class CodeUsage {
 public:
  void add(const LatentGrid& grid);

  int64_t num_images() const { return count_; }
  int64_t num_active() const;
  double kl_nats() const;                     // per image
  std::vector<double> kl_per_number() const;  // mean over the images
  std::vector<double> variances() const;      // of the posterior means

 private:
  int64_t count_ = 0;
  at::Tensor sum_, sum_of_squares_, kl_;  // [D*h*w] double
};

}  // namespace calotype
