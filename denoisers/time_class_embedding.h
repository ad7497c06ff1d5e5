#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/pimpl.h>

#include <cstdint>

#include "nn/time_embedding.h"

namespace calotype {

/// One vector of a timestep and a class: an MLP of the time's sines and cosines
/// plus a row of a table (DiT, arXiv:2212.09748, section 3.2). diffusers'
/// CombinedTimestepLabelEmbeddings: timestep_embedder.linear_{1,2} and
/// class_embedder.embedding_table.
class TimeClassEmbeddingImpl : public torch::nn::Module {
 public:
  /// `num_rows`: of the table, the null class included; 0: no table. First
  /// values: normal with standard deviation 0.02 (DiT's). `freq_shift`: as
  /// sinusoidal_embedding has it; diffusers' is 1.
  TimeClassEmbeddingImpl(int64_t width, int64_t num_rows,
                         double freq_shift = 1);

  /// `timestep`: [N]; `class_labels`: int64 [N], or undefined, which is allowed
  /// only if the table has one row (then all are of it) or none. Returns
  /// [N,width]. Throws ShapeError for labels too many or missing.
  torch::Tensor forward(const torch::Tensor& timestep,
                        const torch::Tensor& class_labels);

  void init_values();

 private:
  int64_t num_rows_;
  double freq_shift_;
  TimeMlp timestep_embedder_{nullptr};
  torch::nn::Embedding embedding_table_{nullptr};
};
TORCH_MODULE(TimeClassEmbedding);

}  // namespace calotype
