// Metrics at the sizes that are quoted in bench/README.md.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "core/random.h"
#include "metrics/frechet_distance.h"
#include "metrics/grouped_moments.h"
#include "metrics/kernel_distance.h"
#include "metrics/moments.h"
#include "metrics/set_overlap.h"
#include "metrics/ssim.h"
#include "metrics/uncertainty.h"

namespace calotype {
namespace {

constexpr int64_t kFeatures = 2048;  // of FID's Inception

/// Images of whole bytes, `count` x channels x side x side.
at::Tensor images(const benchmark::State& state, uint64_t seed) {
  const auto channels = state.range(0), side = state.range(1);
  const auto count = state.range(2);
  return uniform_rows({channels, side, side}, at::arange(count, at::kLong),
                      seed, Stream::kSynthetic)
      .mul_(255)
      .round_();
}

void bench_ssim(benchmark::State& state) {
  const auto reference = images(state, 1);
  const auto decoded = (reference + images(state, 2) * 0.1).clamp_(0, 255);
  for (auto _ : state)
    benchmark::DoNotOptimize(ssim(reference, decoded, 255).data_ptr());
  state.counters["images"] = benchmark::Counter(
      double(state.iterations() * state.range(2)), benchmark::Counter::kIsRate);
}

/// Rows whose variances fall as those of features do.
at::Tensor features(int64_t count, uint64_t seed) {
  auto rows = normal_rows({kFeatures}, at::arange(count, at::kLong), seed,
                          Stream::kSynthetic);
  return rows.mul_((at::arange(kFeatures) + 1).pow(-0.5));
}

void bench_set_overlap(benchmark::State& state) {
  const auto real = features(state.range(0), 1);
  const auto made = features(state.range(0), 2);
  for (auto _ : state)
    benchmark::DoNotOptimize(set_overlap(real, made).precision);
}

void bench_kernel_distance(benchmark::State& state) {
  const auto real = features(state.range(0), 1);
  const auto made = features(state.range(0), 2);
  for (auto _ : state) benchmark::DoNotOptimize(kernel_distance(real, made));
}

void bench_frechet_distance(benchmark::State& state) {
  Moments real, made;
  real.add(features(3000, 1));
  made.add(features(3000, 2));
  for (auto _ : state) benchmark::DoNotOptimize(frechet_distance(made, real));
}

void bench_frechet_ten_to_one(benchmark::State& state) {
  Moments real, made;
  real.add(features(3000, 1));
  made.add(features(3000, 2));
  for (auto _ : state) {
    const FrechetReference reference(real);
    for (int i = 0; i < 10; ++i)
      benchmark::DoNotOptimize(reference.distance(made));
  }
}

void bench_bootstrap(benchmark::State& state) {
  const auto values =
      uniform_rows({state.range(1)}, at::arange(state.range(0), at::kLong), 1,
                   Stream::kSynthetic);
  for (auto _ : state)
    benchmark::DoNotOptimize(bootstrap_means(values, 0).data());
}

BENCHMARK(bench_ssim)
    ->ArgNames({"channels", "side", "images"})
    ->Args({3, 256, 8})
    ->Args({1, 28, 128})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(bench_set_overlap)
    ->ArgName("rows")
    ->Arg(1000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(bench_kernel_distance)
    ->ArgName("rows")
    ->Arg(1000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(bench_frechet_distance)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(bench_frechet_ten_to_one)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(bench_bootstrap)
    ->ArgNames({"images", "columns"})
    ->Args({50'000, 1})
    ->Args({50'000, 8})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace calotype
