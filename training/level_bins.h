#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/config.h"
#include "nn/trainable.h"

namespace calotype {

/// The mean loss in each tenth of the noise levels, over any number of batches.
class LevelBins {
 public:
  static constexpr int64_t kCount = 10;

  LevelBins();

  /// Takes in a batch; one without levels changes nothing. Throws ShapeError
  /// unless both are [N].
  void add(const LossByLevel& losses);

  bool empty() const { return name_.empty(); }
  const std::string& name() const { return name_; }  // of the level

  /// kCount numbers from the lowest level to the highest, null where there was
  /// no sample.
  Json means() const;

  void clear();

  at::Tensor& counts() { return counts_; }  // [kCount] fp64
  at::Tensor& sums() { return sums_; }      // [kCount] fp64

 private:
  std::string name_;
  at::Tensor counts_, sums_;
};

/// "0.3-0.4" of bin 3.
std::string level_bin_text(int64_t bin);

}  // namespace calotype
