#include "metrics/classifier.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

constexpr int64_t kGroupSize = 8;  // channels that are normalised together

}  // namespace

void CalotypeClassifierConfig::validate() const {
  const auto where = "classifier";
  check_range(where, "in_channels", static_cast<double>(in_channels), 1, 64);
  check_range(where, "num_classes", static_cast<double>(num_classes), 2, 4096);
  check_range(where, "number of channels", static_cast<double>(channels.size()),
              1, 10);
  for (const auto width : channels) {
    check_range(where, "channels", static_cast<double>(width), 8, 8192);
    if (width % kGroupSize != 0)
      throw ConfigError(
          fmt::format("{}: channels must be multiples of {}, got {}", where,
                      kGroupSize, width));
  }
  // Every block halves the sides and at least one pixel has to be left.
  check_range(where, "sample_size", static_cast<double>(sample_size),
              static_cast<double>(int64_t{1} << channels.size()), 4096);
}

CalotypeClassifierImpl::CalotypeClassifierImpl(
    const CalotypeClassifierConfig& config)
    : config_(config) {
  namespace nn = torch::nn;
  config.validate();
  auto in = config.in_channels;
  auto size = config.sample_size;
  for (size_t block = 0; block < config.channels.size(); ++block) {
    const auto out = config.channels[block];
    auto options = nn::Conv2dOptions(in, out, 3).padding(1).bias(false);
    if (block == 0) options.kernel_size(4).stride(2);
    const auto name = std::to_string(block);
    convs_.push_back(register_module("conv" + name, Conv2d(options)));
    norms_.push_back(register_module(
        "norm" + name, GroupNorm(nn::GroupNormOptions(out / kGroupSize, out))));
    in = out;
    size /= 2;
  }
  head_ = register_module("head", Linear(in * size * size, config.num_classes));
}

ClassifierOutput CalotypeClassifierImpl::forward(const at::Tensor& images) {
  const auto size = config_.sample_size;
  check_shape("classifier", "images", images,
              {-1, config_.in_channels, size, size});
  auto x = images;
  for (size_t block = 0; block < convs_.size(); ++block) {
    x = convs_[block]->forward(x);
    if (block > 0) x = at::max_pool2d(x, 2);
    x = at::relu(norms_[block]->forward(x));
  }
  return {.features = x.mean({2, 3}), .logits = head_->forward(x.flatten(1))};
}

at::Tensor CalotypeClassifierImpl::classify(const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  return forward(images).logits.argmax(1);
}

Losses ClassifierTraining::losses(const Batch& batch) {
  check_shape("classifier", "labels", batch.labels, {batch.data.size(0)});
  const auto num_classes = classifier_->config().num_classes;
  const auto outside =
      batch.labels.lt(0).logical_or(batch.labels.ge(num_classes));
  if (outside.any().item<bool>())
    throw ConfigError(fmt::format(
        "classifier: every training image needs a class in [0, {}], got {}",
        num_classes - 1,
        batch.labels.masked_select(outside)[0].item<int64_t>()));

  const auto logits = in_slices(
      *classifier_, {batch.data},
      [classifier = classifier_.ptr()](const std::vector<at::Tensor>& images) {
        return classifier->forward(images[0]).logits;
      });
  const auto loss = at::cross_entropy_loss(logits, batch.labels);
  const auto accuracy =
      logits.detach().argmax(1).eq(batch.labels).to(at::kFloat).mean();
  return {.total = loss,
          .parts = {{"cross_entropy", loss.detach()}, {"accuracy", accuracy}}};
}

CalotypeClassifier load_classifier(const ModelFolder& folder) {
  return load_model<CalotypeClassifier, CalotypeClassifierConfig>(folder);
}

}  // namespace calotype
