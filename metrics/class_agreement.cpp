#include "metrics/class_agreement.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

ClassAgreement::ClassAgreement(int64_t num_classes) {
  check_range("class agreement", "num_classes",
              static_cast<double>(num_classes), 2, 4096);
  counts_ = at::zeros({num_classes, num_classes}, at::kLong);
}

void ClassAgreement::add(const at::Tensor& asked, const at::Tensor& predicted) {
  check_shape("class agreement", "asked", asked, {-1});
  check_shape("class agreement", "predicted", predicted, {asked.size(0)});
  const auto K = counts_.size(0);
  const auto cpu_asked = asked.to(at::kCPU, at::kLong);
  const auto cpu_predicted = predicted.to(at::kCPU, at::kLong);
  for (const auto& labels : {cpu_asked, cpu_predicted}) {
    const auto outside = labels.lt(0).logical_or(labels.ge(K));
    if (outside.any().item<bool>())
      throw ShapeError(
          fmt::format("class agreement: labels must be in [0, {}], got {}",
                      K - 1, labels.masked_select(outside)[0].item<int64_t>()));
  }
  counts_ +=
      at::bincount(cpu_asked * K + cpu_predicted, {}, K * K).view({K, K});
}

double ClassAgreement::overall() const {
  const auto num_images = counts_.sum().item<int64_t>();
  if (num_images == 0)
    throw ConfigError(
        "class agreement: there must be an image to judge, got none");
  return static_cast<double>(counts_.trace().item<int64_t>()) /
         static_cast<double>(num_images);
}

std::vector<ClassShare> ClassAgreement::per_class() const {
  const auto asked = counts_.sum(1);
  const auto agreed = counts_.diagonal();
  std::vector<ClassShare> shares;
  for (int64_t label = 0; label < counts_.size(0); ++label) {
    ClassShare share{.label = label,
                     .num_asked = asked[label].item<int64_t>(),
                     .num_agreed = agreed[label].item<int64_t>()};
    if (share.num_asked > 0)
      share.share = static_cast<double>(share.num_agreed) /
                    static_cast<double>(share.num_asked);
    shares.push_back(share);
  }
  return shares;
}

}  // namespace calotype
