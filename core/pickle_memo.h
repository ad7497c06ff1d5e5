#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace calotype {

/// What a pickle puts by under numbers of its own. They count up from zero in
/// all that Python writes, and may be anything.
class PickleMemo {
 public:
  size_t size() const { return in_order_.size() + others_.size(); }

  void put(uint64_t index, uint32_t value) {
    if (index < in_order_.size())
      in_order_[size_t(index)] = value;
    else if (index == in_order_.size() && others_.empty())
      in_order_.push_back(value);
    else
      others_[index] = value;
  }

  std::optional<uint32_t> get(uint64_t index) const {
    if (index < in_order_.size()) return in_order_[size_t(index)];
    const auto found = others_.find(index);
    if (found == others_.end()) return {};
    return found->second;
  }

 private:
  std::vector<uint32_t> in_order_;
  std::unordered_map<uint64_t, uint32_t> others_;
};

}  // namespace calotype
