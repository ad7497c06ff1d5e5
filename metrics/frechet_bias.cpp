#include "metrics/frechet_bias.h"

#include <array>

#include "core/error.h"

namespace calotype {
namespace {

constexpr std::array<int64_t, 4> kPartGroups{1, 2, 5, 10};

}  // namespace

std::vector<FrechetAtCount> frechet_by_count(
    const GroupedMoments& shown, const FrechetReference& reference) {
  std::vector<FrechetAtCount> values;
  for (const auto size : kPartGroups) {
    const auto parts = double(GroupedMoments::kGroups / size);
    double inverse = 0, distance = 0;
    for (int64_t first = 0; first < GroupedMoments::kGroups; first += size) {
      const auto part = shown.of_groups(first, first + size);
      distance += reference.distance(part) / parts;
      inverse += 1 / double(part.count()) / parts;
    }
    values.push_back({.count = 1 / inverse, .distance = distance});
  }
  return values;
}

double frechet_at_infinity(const std::vector<FrechetAtCount>& values) {
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (const auto& value : values) {
    mean_x += 1 / value.count / double(values.size());
    mean_y += value.distance / double(values.size());
  }
  for (const auto& value : values) {
    const double x = 1 / value.count - mean_x;
    xx += x * x;
    xy += x * (value.distance - mean_y);
  }
  if (!(xx > 0))
    throw ShapeError("Fréchet bias: a line needs values at 2 counts");
  return mean_y - xy / xx * mean_x;
}

}  // namespace calotype
