#include "nn/doubling_conv.h"

#include <torch/types.h>

#include "core/check.h"
#include "nn/batch_invariant.h"

namespace calotype {

at::Tensor doubling_conv(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias) {
  const auto C = x.size(1), D = weight.size(1);
  const auto H = x.size(2), W = x.size(3);
  check_shape("doubling_conv", "weight", weight, {C, D, 4, 4});
  // Row y of x reaches rows 2 y - 1 + k. So place 0 of a row sees the row above
  // by k = 3 and its own by k = 1, place 1 its own by 2 and the one below by 0.
  const auto seen = torch::tensor(
      {3, 1, 2, 0}, torch::TensorOptions(torch::kLong).device(x.device()));
  const auto kernels = weight.index_select(2, seen)
                           .index_select(3, seen)
                           .view({C, D, 2, 2, 2, 2})
                           .permute({1, 2, 4, 0, 3, 5})
                           .reshape({4 * D, C, 2, 2});
  const auto windows = invariant_conv2d(x, kernels, bias.repeat_interleave(4),
                                        {.padding = {1, 1}})
                           .view({x.size(0), D, 2, 2, H + 1, W + 1});
  // Place 1 of a row is in the window that begins with it, place 0 in the one
  // before; so with columns.
  const auto rows = torch::stack({windows.select(2, 0).narrow(3, 0, H),
                                  windows.select(2, 1).narrow(3, 1, H)},
                                 4);
  return torch::stack({rows.select(2, 0).narrow(4, 0, W),
                       rows.select(2, 1).narrow(4, 1, W)},
                      5)
      .view({x.size(0), D, 2 * H, 2 * W});
}

}  // namespace calotype
