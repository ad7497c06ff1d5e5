#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace calotype {

/// The angles by which the channels of a head are turned, for each token.
struct RotaryTable {
  at::Tensor cos, sin;  // [L,d/2] float
};

/// Rotary positions (arXiv:2104.09864, section 3.2) of an h x w grid of tokens,
/// once per axis: the first half of the d/2 pairs of channels turns with the
/// row, the second with the column, each by frequencies base^(-4i/d). Throws
/// ConfigError unless d, `head_dim`, is a multiple of 4.
RotaryTable grid_rotary(int64_t head_dim, int64_t h, int64_t w, double base,
                        const at::TensorOptions& options);

/// Turns the pairs of channels (i, i + d/2) of [...,L,d]. The scores of queries
/// and keys turned so depend on how far apart their cells are, not on where.
at::Tensor rotate(const at::Tensor& x, const RotaryTable& table);

}  // namespace calotype
