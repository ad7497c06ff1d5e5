#include "training/loss_means.h"

namespace calotype {

void LossMeans::add(const Losses& losses, int64_t num_rows) {
  // All numbers at once: a GPU is waited for once.
  std::vector<at::Tensor> numbers{losses.total.detach().to(torch::kDouble)};
  for (const auto& part : losses.parts)
    numbers.push_back(
        part.second.detach().to(losses.total.device(), torch::kDouble));
  const auto fetched = torch::stack(numbers).to(torch::kCPU);
  const auto* values = fetched.data_ptr<double>();
  num_rows_ += num_rows;
  total_ += share(num_rows) * values[0];
  if (parts_.empty())
    for (const auto& part : losses.parts) parts_.emplace_back(part.first, 0);
  for (size_t i = 0; i < losses.parts.size(); ++i)
    parts_[i].second += share(num_rows) * values[i + 1];
}

std::vector<std::pair<std::string, double>> LossMeans::parts() const {
  auto means = parts_;
  for (auto& [name, value] : means) value *= scale();
  return means;
}

}  // namespace calotype
