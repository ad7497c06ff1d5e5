#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace calotype {

/// One layer: a convolution with ReLU, a pooling, or a fire module (a squeezing
/// convolution, then two side by side).
struct SliceLayer {
  enum Kind { kConv, kMaxPool, kFire } kind;
  const char* name = "";    // of its tensors, below "net."
  int64_t in = 0, out = 0;  // channels; fire: of the squeeze, of each expansion
  int64_t kernel = 3, stride = 1, padding = 1;
  bool round_up = false;  // pooling
};

/// What each slice appends to the one before; its output is compared.
using Slices = std::vector<std::vector<SliceLayer>>;

/// Those of "vgg", "alex" or "squeeze".
Slices slices_of(const std::string& network);

}  // namespace calotype
