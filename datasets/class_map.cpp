#include "datasets/class_map.h"

#include <unordered_map>

namespace calotype {

std::vector<int64_t> match_classes(const std::vector<std::string>& from,
                                   const std::vector<std::string>& to) {
  std::unordered_map<std::string, int64_t> places;
  for (size_t i = 0; i < to.size(); ++i) places.emplace(to[i], int64_t(i));
  std::vector<int64_t> matched;
  matched.reserve(from.size());
  for (const auto& name : from) {
    const auto found = places.find(name);
    matched.push_back(found == places.end() ? -1 : found->second);
  }
  return matched;
}

}  // namespace calotype
