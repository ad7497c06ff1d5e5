#pragma once

#include <cstdint>

#include "core/config.h"
#include "datasets/loader.h"
#include "evaluation/evaluate.h"
#include "vae/autoencoder.h"
#include "vae/code_usage.h"

namespace calotype {

/// What `evaluate` says about the codes of a CalotypeAutoencoder, gathered over
/// a set. Variational: how much of the code is used, and bounds on how probable
/// the images are. Others: how many numbers are active, how far the codes
/// spread and, if asked, how much they answer to small changes of the image.
class CodeReport {
 public:
  /// Throws ConfigError for a job that asks what the model cannot tell.
  CodeReport(const EvaluateJob& job, CalotypeAutoencoderImpl& model);

  void add(const ImageBatch& batch);
  void write(Json& result) const;

 private:
  void add_bounds(const at::Tensor& images, const LatentGrid& posterior,
                  const at::Tensor& samples);

  const EvaluateJob& job_;
  CalotypeAutoencoderImpl& model_;
  CodeUsage usage_;
  // Sums over the images.
  double elbo_ = 0, bound_ = 0, active_ = 0, jacobian_ = 0;
  int64_t values_per_image_ = 1;
};

}  // namespace calotype
