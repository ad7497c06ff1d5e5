#include "training/level_bins.h"

#include <torch/types.h>

#include "core/check.h"

namespace calotype {

LevelBins::LevelBins()
    : counts_(torch::zeros({kCount}, torch::kDouble)),
      sums_(torch::zeros({kCount}, torch::kDouble)) {}

void LevelBins::add(const LossByLevel& losses) {
  if (!losses.level.defined()) return;
  check_shape("LevelBins", "level", losses.level, {-1});
  check_shape("LevelBins", "loss", losses.loss, {losses.level.size(0)});
  const auto here = [](const at::Tensor& tensor) {
    return tensor.detach().to(torch::kCPU, torch::kDouble);
  };
  const auto bin = (here(losses.level) * kCount)
                       .floor()
                       .clamp(0, kCount - 1)
                       .to(torch::kLong);
  const auto loss = here(losses.loss);
  counts_.index_add_(0, bin, torch::ones_like(loss));
  sums_.index_add_(0, bin, loss);
  name_ = losses.name;
}

Json LevelBins::means() const {
  Json list = Json::array();
  for (int64_t bin = 0; bin < kCount; ++bin) {
    const double count = counts_[bin].item<double>();
    list.push_back(count > 0 ? Json(sums_[bin].item<double>() / count)
                             : Json());
  }
  return list;
}

void LevelBins::clear() {
  counts_.zero_();
  sums_.zero_();
}

std::string level_bin_text(int64_t bin) {
  constexpr double kWidth = 1.0 / double(LevelBins::kCount);
  return fmt::format("{:.1f}-{:.1f}", double(bin) * kWidth,
                     double(bin + 1) * kWidth);
}

}  // namespace calotype
