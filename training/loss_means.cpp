#include "training/loss_means.h"

namespace calotype {

void LossMeans::add(const Losses& losses, int64_t num_rows) {
  num_rows_ += num_rows;
  total_ += share(num_rows) * losses.total.item<double>();
  if (parts_.empty())
    for (const auto& part : losses.parts) parts_.emplace_back(part.first, 0);
  for (size_t i = 0; i < losses.parts.size(); ++i)
    parts_[i].second += share(num_rows) * losses.parts[i].second.item<double>();
}

std::vector<std::pair<std::string, double>> LossMeans::parts() const {
  auto means = parts_;
  for (auto& [name, value] : means) value *= scale();
  return means;
}

}  // namespace calotype
