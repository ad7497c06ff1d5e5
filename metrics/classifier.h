#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "nn/batch_invariant.h"
#include "nn/group_norm.h"
#include "nn/model_folder.h"
#include "nn/trainable.h"

// A small classifier that judges whether a generated image shows what was asked
// for.
namespace calotype {

struct CalotypeClassifierConfig {
  int64_t in_channels = 1;                        // C
  int64_t sample_size = 28;                       // H and W
  int64_t num_classes = 10;                       // at least 2
  std::vector<int64_t> channels = {32, 64, 128};  // per block, multiples of 8

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(CalotypeClassifierConfig& c, Visitor&& visit) {
  visit("in_channels", c.in_channels);
  visit("sample_size", c.sample_size);
  visit("num_classes", c.num_classes);
  visit("channels", c.channels);
}

/// What a classifier makes of images.
struct ClassifierOutput {
  at::Tensor features;  // [N,channels.back()], in which sets are compared
  at::Tensor logits;    // [N,num_classes]
};

/// Blocks of convolution, group normalisation and ReLU that halve the sides,
/// then one linear layer. The first block halves by its stride, since at full
/// size it would cost more than all others together.
class CalotypeClassifierImpl : public torch::nn::Module {
 public:
  static constexpr const char* kClassName = "CalotypeClassifier";

  explicit CalotypeClassifierImpl(const CalotypeClassifierConfig& config);

  /// `images`: [N,C,H,W] in [-1,1]. The features are what the last block puts
  /// out, averaged over its grid. Throws ShapeError.
  ClassifierOutput forward(const at::Tensor& images);

  /// The likeliest class of each image, int64 [N]; records no gradient.
  at::Tensor classify(const at::Tensor& images);

  const CalotypeClassifierConfig& config() const { return config_; }

 private:
  CalotypeClassifierConfig config_;
  std::vector<Conv2d> convs_;
  std::vector<GroupNorm> norms_;
  Linear head_{nullptr};
};
TORCH_MODULE(CalotypeClassifier);

/// Reads a model folder. Throws ConfigError for another class, DataError for
/// weights that do not fit.
CalotypeClassifier load_classifier(const ModelFolder& folder);

/// Trains it: cross-entropy, and the share of the batch that was right.
class ClassifierTraining : public Trainable {
 public:
  explicit ClassifierTraining(CalotypeClassifier classifier)
      : classifier_(std::move(classifier)) {}

  /// Throws ConfigError if an image has no class in [0, num_classes).
  Losses losses(const Batch& batch) override;
  torch::nn::Module& module() override { return *classifier_; }

  /// A classifier has no picture to show.
  at::Tensor preview(const Batch&) override { return {}; }

 private:
  CalotypeClassifier classifier_;
};

}  // namespace calotype
