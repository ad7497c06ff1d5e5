#include "vqvae/projected_quantizer.h"

namespace calotype {

ProjectedQuantizer::ProjectedQuantizer(std::shared_ptr<Quantizer> inner,
                                       int64_t dim, int64_t code_dim)
    : inner_(std::move(inner)) {
  project_in_ = register_module("project_in", Linear(dim, code_dim));
  register_module("inner", inner_);
  project_out_ = register_module("project_out", Linear(code_dim, dim));
}

Quantized ProjectedQuantizer::quantize(const at::Tensor& vectors,
                                       const QuantizerStep* training) {
  auto result = inner_->quantize(project_in_(vectors), training);
  result.vectors = project_out_(result.vectors);
  return result;
}

at::Tensor ProjectedQuantizer::lookup(const at::Tensor& indices) {
  return project_out_(inner_->lookup(indices));
}

}  // namespace calotype
