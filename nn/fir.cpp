#include "nn/fir.h"

#include <fmt/format.h>
#include <torch/types.h>

#include "core/error.h"
#include "nn/batch_invariant.h"

namespace calotype {
namespace {

/// The filter of each channel, [C,1,4,4], with sum `gain`.
at::Tensor filters(const at::Tensor& x, double gain) {
  const auto line = torch::tensor({1., 3., 3., 1.}) / 8;
  return (gain * torch::outer(line, line))
      .to(x.options())
      .expand({x.size(1), 1, 4, 4})
      .contiguous();
}

at::Tensor padded(const at::Tensor& x, FirEdge edge) {
  if (edge == FirEdge::kZeros) return torch::constant_pad_nd(x, {1, 1, 1, 1});
  if (x.size(2) < 2 || x.size(3) < 2)
    throw ConfigError(fmt::format(
        "resampling: a grid of {}x{} is too small to be mirrored at its edges; "
        "use fewer levels",
        x.size(2), x.size(3)));
  // LibTorch 1.13 mirrors no bf16 on the CPU; in float it is the same.
  return torch::reflection_pad2d(x.to(torch::kFloat), {1, 1, 1, 1})
      .to(x.scalar_type());
}

}  // namespace

at::Tensor fir_downsample(const at::Tensor& x, FirEdge edge) {
  return invariant_conv2d(padded(x, edge), filters(x, 1), {},
                          {.stride = {2, 2}, .groups = x.size(1)});
}

at::Tensor fir_upsample(const at::Tensor& x, int64_t height, int64_t width,
                        FirEdge edge) {
  // In float: of bf16, LibTorch 1.13 gives answers of another size.
  const auto wide =
      x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  return torch::conv_transpose2d(
             padded(wide, edge), filters(wide, 4), {}, /*stride=*/2,
             /*padding=*/3,
             /*output_padding=*/{height - 2 * x.size(2), width - 2 * x.size(3)},
             /*groups=*/x.size(1))
      .to(x.scalar_type());
}

}  // namespace calotype
