#include "metrics/kernel_distance.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/stop_signal.h"
#include "metrics/feature_rows.h"

namespace calotype {
namespace {

/// Mean of the kernel over pairs of rows; a row makes no pair with its own copy
/// if both sets are `alike`.
double mean_kernel(const at::Tensor& a, const at::Tensor& b, bool alike) {
  const auto N = a.size(0), M = b.size(0);
  const auto F = double(a.size(1));
  double sum = 0;
  for (int64_t begin = 0; begin < N; begin += rows_per_block(M)) {
    throw_if_stopped();
    const auto count = std::min(rows_per_block(M), N - begin);
    const auto kernel =
        a.narrow(0, begin, count).matmul(b.t()).div_(F).add_(1).pow_(3);
    if (alike) kernel.diagonal(begin).fill_(0);
    sum += kernel.sum().item<double>();
  }
  return sum / (double(N) * double(alike ? M - 1 : M));
}

}  // namespace

double kernel_distance(const at::Tensor& reference,
                       const at::Tensor& generated) {
  const auto where = "kernel distance";
  const auto real = feature_rows(where, "reference", reference);
  const auto made = feature_rows(where, "generated", generated, real.size(1));
  if (std::min(real.size(0), made.size(0)) < 2)
    throw ConfigError(
        fmt::format("{}: each set needs at least 2 images, got {} reference "
                    "and {} generated",
                    where, real.size(0), made.size(0)));
  return mean_kernel(real, real, true) + mean_kernel(made, made, true) -
         2 * mean_kernel(real, made, false);
}

}  // namespace calotype
