#include "nn/batch_invariant.h"

#include <torch/types.h>

#include <algorithm>

#include "core/parallel.h"
#include "core/profile.h"
#include "nn/onednn_check.h"

namespace calotype {
namespace {

/// LibTorch's loops take two vectors of at most 16 floats at once, or four.
constexpr int64_t kWholeVectors = 64;

/// Loops of so many numbers run on one thread (LibTorch's grain is 32,768).
constexpr int64_t kOneThread = 1 << 14;

bool is_plain(const at::Tensor& x) {
  return !at::GradMode::is_enabled() && x.device().is_cpu() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.numel() > 0;
}

bool takes_onednn(const at::Tensor& x, const at::Tensor& weight) {
  return is_plain(x) && weight.scalar_type() == x.scalar_type() && use_onednn();
}

/// Of a product in which each number of `out` is a sum of `terms`; with a way
/// back there are two more.
const at::Tensor& counted(const at::Tensor& out, int64_t terms) {
  if (is_profiling())
    count_operations((at::GradMode::is_enabled() ? 6.0 : 2.0) *
                     double(out.numel()) * double(terms));
  return out;
}

/// Of operands that are of the type to compute in already.
at::Tensor conv2d(const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias, const Conv2dShape& shape) {
  const auto laid_out = x.contiguous(current_compute().layout);
  const auto terms = weight.numel() / std::max<int64_t>(1, weight.size(0));
  if (!takes_onednn(x, weight))
    return counted(at::conv2d(laid_out, weight, bias, shape.stride,
                              shape.padding, /*dilation=*/1, shape.groups),
                   terms);
  return counted(
      at::mkldnn_convolution(laid_out, weight.contiguous(), bias, shape.padding,
                             shape.stride, {1, 1}, shape.groups),
      terms);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias) {
  if (!takes_onednn(x, weight) || x.dim() < 2)
    return counted(at::linear(x, weight, bias), weight.size(1));
  // Rows of numbers are images of one pixel wide whose channels lie together,
  // and the map is a convolution of one pixel.
  auto sizes = x.sizes().vec();
  const auto rows = x.contiguous().view({sizes.front(), -1, 1, sizes.back()});
  const auto out = at::mkldnn_convolution(
      rows.permute({0, 3, 1, 2}),
      weight.contiguous().view({weight.size(0), weight.size(1), 1, 1}), bias,
      {0, 0}, {1, 1}, {1, 1}, 1);
  sizes.back() = weight.size(0);
  return counted(out, weight.size(1)).permute({0, 2, 3, 1}).reshape(sizes);
}

at::MemoryFormat layout_of(const at::Tensor& x) {
  return x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast)
             ? at::MemoryFormat::ChannelsLast
             : at::MemoryFormat::Contiguous;
}

/// The numbers of x, which lies in `layout`, one after the other.
at::Tensor in_memory_order(const at::Tensor& x, at::MemoryFormat layout) {
  return (layout == at::MemoryFormat::ChannelsLast ? x.permute({0, 2, 3, 1})
                                                   : x)
      .view({x.numel()});
}

}  // namespace

at::Tensor invariant_conv2d(const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const Conv2dShape& shape) {
  return in_compute_type(conv2d(in_compute_type(x), in_compute_type(weight),
                                in_compute_type(bias), shape));
}

at::Tensor invariant_linear(const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) {
  return in_compute_type(linear(in_compute_type(x), in_compute_type(weight),
                                in_compute_type(bias)));
}

at::Tensor invariant_map(const at::Tensor& x,
                         at::Tensor (*op)(const at::Tensor& x)) {
  if (!is_plain(x)) return op(x);
  const auto count = x.numel();
  const auto layout = layout_of(x);
  const auto in = in_memory_order(x.contiguous(layout), layout);
  const auto answer = at::empty_like(x, layout);
  const auto out = in_memory_order(answer, layout);
  const auto whole = count / kWholeVectors, rest = count % kWholeVectors;
  parallel_for(
      0, whole, kOneThread / kWholeVectors, [&](int64_t begin, int64_t end) {
        begin *= kWholeVectors;
        end *= kWholeVectors;
        for (; begin < end; begin += kOneThread) {
          const auto size = std::min(kOneThread, end - begin);
          out.narrow(0, begin, size).copy_(op(in.narrow(0, begin, size)));
        }
      });
  if (rest > 0) {
    const auto padded = at::constant_pad_nd(in.narrow(0, count - rest, rest),
                                            {0, kWholeVectors - rest}, 1);
    out.narrow(0, count - rest, rest).copy_(op(padded).narrow(0, 0, rest));
  }
  return answer;
}

// `get` is that of c10 or, with LibTorch 2, of std: the argument says which.
at::Tensor Conv2dImpl::forward(const at::Tensor& x) {
  return in_compute_type(
      conv2d(in_compute_type(x), weight_.of(weight), bias_.of(bias),
             {.stride = options.stride(),
              .padding = get<torch::ExpandingArray<2>>(options.padding()),
              .groups = options.groups()}));
}

at::Tensor LinearImpl::forward(const at::Tensor& x) {
  return in_compute_type(
      linear(in_compute_type(x), weight_.of(weight), bias_.of(bias)));
}

}  // namespace calotype
