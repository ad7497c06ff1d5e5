#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/stored_tensor.h"

namespace calotype {

/// The names and shapes of a state dict, below a prefix.
class NamedShapes {
 public:
  explicit NamedShapes(const std::map<std::string, StoredTensor>& tensors,
                       std::string prefix = "")
      : tensors_(tensors), prefix_(std::move(prefix)) {}

  NamedShapes below(const std::string& prefix) const {
    return NamedShapes(tensors_, prefix_ + prefix);
  }

  bool has(const std::string& name) const {
    return tensors_.contains(prefix_ + name);
  }

  /// Whether a name begins so.
  bool has_below(const std::string& name) const {
    const auto at = tensors_.lower_bound(prefix_ + name);
    return at != tensors_.end() && at->first.starts_with(prefix_ + name);
  }

  /// Whether a name that begins with the prefix has this in it.
  bool has_part(std::string_view part) const {
    for (auto at = tensors_.lower_bound(prefix_);
         at != tensors_.end() && at->first.starts_with(prefix_); ++at)
      if (at->first.find(part, prefix_.size()) != std::string::npos)
        return true;
    return false;
  }

  /// Size of a tensor's dimension `dim`; 0 where there is none.
  int64_t size(const std::string& name, size_t dim) const {
    const auto found = tensors_.find(prefix_ + name);
    if (found == tensors_.end() || dim >= found->second.shape.size()) return 0;
    return found->second.shape[dim];
  }

  const std::map<std::string, StoredTensor>& tensors() const {
    return tensors_;
  }

 private:
  const std::map<std::string, StoredTensor>& tensors_;
  std::string prefix_;
};

}  // namespace calotype
