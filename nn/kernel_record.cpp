#include "nn/kernel_record.h"

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "core/profile.h"
#include "core/runtime.h"
#include "nn/batch_invariant.h"
#include "nn/onednn_check.h"

namespace calotype {
namespace {

using Used = std::pair<Compute, c10::Device>;

std::mutex used_mutex;
std::vector<Used> used_kernels;

bool is_same(const Used& a, const Used& b) {
  return a.first.precision == b.first.precision &&
         a.first.is_rounded == b.first.is_rounded &&
         a.first.layout == b.first.layout && a.second == b.second;
}

/// The best of some calls, which take a quarter of a second together.
double best_per_s(double operations, c10::Device device,
                  const std::function<void()>& call) {
  constexpr double kSeconds = 0.25;
  double best = 0;
  for (const double begin = monotonic_s(); monotonic_s() - begin < kSeconds;) {
    const double one = monotonic_s();
    call();
    if (device.is_cuda()) torch::cuda::synchronize();
    best = std::max(best, operations / (monotonic_s() - one));
  }
  return best;
}

/// On all threads.
double peak_operations_per_s(const Used& how) {
  const auto& [compute, device] = how;
  const torch::InferenceMode inference;
  const ComputeScope scope(compute);
  constexpr int64_t N = 2, C = 256, kSide = 32, kDim = 1024;
  const auto images = torch::ones({N, C, kSide, kSide}).to(device);
  const auto weight = in_compute_type(torch::ones({C, C, 3, 3}).to(device));
  const auto by_conv =
      best_per_s(2.0 * 9 * N * C * C * kSide * kSide, device, [&] {
        invariant_conv2d(images, weight, {}, {.padding = {1, 1}});
      });
  auto matrix = torch::ones({kDim, kDim}).to(device);
  if (device.is_cuda()) matrix = in_compute_type(matrix);
  const auto by_product =
      best_per_s(2.0 * kDim * kDim * kDim, device, [&] { matrix.mm(matrix); });
  return std::max(by_conv, by_product);
}

}  // namespace

void record_compute(const Compute& compute, c10::Device device) {
  if (!is_profiling()) return;
  const Used now{compute, device};
  const std::lock_guard lock(used_mutex);
  if (std::ranges::none_of(used_kernels,
                           [&](const Used& it) { return is_same(it, now); }))
    used_kernels.push_back(now);
}

Json kernels_used(double operations_per_s) {
  const std::lock_guard lock(used_mutex);
  auto kernels = Json::array();
  double peak = 0;
  for (const auto& how : std::exchange(used_kernels, {})) {
    const auto& [compute, device] = how;
    const double reached = peak_operations_per_s(how);
    peak = std::max(peak, reached);
    kernels.push_back(
        {{"precision", precision_name(compute.precision) +
                           (compute.is_rounded ? " by rounding" : "")},
         {"layout", compute.layout == at::MemoryFormat::ChannelsLast
                        ? "channels together"
                        : "channels apart"},
         {"library", device.is_cuda() ? "cuDNN"
                     : use_onednn()   ? "oneDNN"
                                      : "LibTorch"},
         {"peak_gflop_s", reached / 1e9}});
  }
  Json found{{"kernels", kernels}};
  if (operations_per_s > 0 && peak > 0) {
    found["network_gflop_s"] = operations_per_s / 1e9;
    found["share_of_peak"] = operations_per_s / peak;
  }
  return found;
}

}  // namespace calotype
