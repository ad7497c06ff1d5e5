#include "denoisers/time_class_embedding.h"

#include <memory>

#include <fmt/format.h>
#include <torch/nn/init.h>
#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

// diffusers' Timesteps(256, flip_sin_to_cos=True).
constexpr int64_t kNumFeatures = 256;
constexpr double kInitStd = 0.02;

}  // namespace

TimeClassEmbeddingImpl::TimeClassEmbeddingImpl(int64_t width, int64_t num_rows,
                                               double freq_shift)
    : num_rows_(num_rows), freq_shift_(freq_shift) {
  timestep_embedder_ = register_module(
      "timestep_embedder", TimeMlp(kNumFeatures, width, Activation::kSilu));
  if (num_rows > 0) {
    const auto classes = register_module("class_embedder",
                                         std::make_shared<torch::nn::Module>());
    embedding_table_ = classes->register_module(
        "embedding_table", torch::nn::Embedding(num_rows, width));
  }
  init_values();
}

void TimeClassEmbeddingImpl::init_values() {
  for (auto& item : named_parameters()) {
    if (item.key().ends_with("weight"))
      torch::nn::init::normal_(item.value(), 0, kInitStd);
    else
      torch::nn::init::zeros_(item.value());
  }
}

torch::Tensor TimeClassEmbeddingImpl::forward(
    const torch::Tensor& timestep, const torch::Tensor& class_labels) {
  check_shape("class embedding", "timestep", timestep, {-1});
  const bool conditional = num_rows_ > 1;
  if (conditional != class_labels.defined())
    throw ShapeError(fmt::format("class embedding: class_labels must {} given",
                                 conditional ? "be" : "not be"));
  const auto type = timestep_embedder_->parameters().front().scalar_type();
  const auto features =
      sinusoidal_embedding(timestep, kNumFeatures, true, freq_shift_);
  const auto time = timestep_embedder_(features.to(type));
  if (conditional) {
    check_shape("class embedding", "class_labels", class_labels,
                {timestep.size(0)});
    return time + embedding_table_(class_labels);
  }
  return embedding_table_ ? time + embedding_table_->weight : time;
}

}  // namespace calotype
