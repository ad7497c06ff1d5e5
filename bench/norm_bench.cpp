// Group normalisation with SiLU, the kernel of our own that networks ask most.
#include <benchmark/benchmark.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "nn/group_norm.h"

namespace calotype {
namespace {

constexpr int64_t kBatch = 128;

void report(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * kBatch);
}

/// Forward and backward through group normalisation and SiLU: ours, LibTorch's.
void NormSilu(benchmark::State& state, bool ours) {
  GroupNorm norm(torch::nn::GroupNormOptions(32, 32));
  const auto x = torch::randn({kBatch, 32, 28, 28}).requires_grad_(true);
  const auto gradient = torch::randn({kBatch, 32, 28, 28});
  for (auto _ : state) {
    const auto y =
        ours ? norm_silu(norm, x)
             : torch::silu(torch::group_norm(x, 32, norm->weight, norm->bias));
    y.backward(gradient);
  }
  report(state);
}

BENCHMARK_CAPTURE(NormSilu, ours, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(NormSilu, LibTorchs, false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace calotype
