#include "nn/rotary.h"

#include <fmt/format.h>
#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

RotaryTable grid_rotary(int64_t head_dim, int64_t h, int64_t w, double base,
                        const at::TensorOptions& options) {
  if (head_dim % 4 != 0)
    throw ConfigError(fmt::format(
        "rotary positions: the channels of a head must be a multiple of 4 for "
        "two directions, got {}",
        head_dim));
  const auto quarter = head_dim / 4;
  const auto frequency = torch::pow(
      base, torch::arange(quarter, torch::kDouble) / -double(quarter));
  const auto row = torch::arange(h, torch::kDouble).repeat_interleave(w);
  const auto column = torch::arange(w, torch::kDouble).repeat({h});
  const auto angle = torch::cat(
      {row.unsqueeze(1) * frequency, column.unsqueeze(1) * frequency},
      1);  // [h*w,d/2]
  return {angle.cos().to(options), angle.sin().to(options)};
}

at::Tensor rotate(const at::Tensor& x, const RotaryTable& table) {
  const auto half = x.size(-1) / 2;
  check_shape("rotary positions", "table", table.cos, {x.size(-2), half});
  const auto a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  return torch::cat({a * table.cos - b * table.sin,  //
                     b * table.cos + a * table.sin},
                    -1);
}

}  // namespace calotype
