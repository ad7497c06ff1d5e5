// Training, encoding and denoising at the shapes that are quoted in
// bench/README.md.
#include <benchmark/benchmark.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include "denoisers/unet2d_model.h"
#include "nn/group_norm.h"
#include "training/adamw.h"
#include "training/ema.h"
#include "training/flat_parameters.h"
#include "vae/autoencoder_kl.h"
#include "vae/vae_training.h"

namespace calotype {
namespace {

constexpr int64_t kBatch = 128;

AutoencoderKL fashion_vae() {
  return AutoencoderKL(
      AutoencoderKLConfig{.in_channels = 1,
                          .out_channels = 1,
                          .down_block_types = {3, "DownEncoderBlock2D"},
                          .up_block_types = {3, "UpDecoderBlock2D"},
                          .block_out_channels = {32, 64, 64},
                          .layers_per_block = 2});
}

UNet2DModel latent_unet() {
  return UNet2DModel(UNet2DModelConfig{.in_channels = 4,
                                       .out_channels = 4,
                                       .down_block_types = {2, "DownBlock2D"},
                                       .up_block_types = {2, "UpBlock2D"},
                                       .block_out_channels = {64, 128}});
}

/// One step of the trainer without its bookkeeping: gradients, AdamW, average.
class Stepper {
 public:
  explicit Stepper(torch::nn::Module& module)
      : flat_(module),
        optimizer_({}, flat_.values()),
        ema_(0.999, flat_.values()) {}

  void step(const std::function<at::Tensor()>& loss) {
    flat_.gradients().zero_();
    loss().backward();
    benchmark::DoNotOptimize(euclidean_norm(flat_.gradients()));
    optimizer_.step(flat_.values(), flat_.gradients(), 1e-4, ++count_);
    ema_.update(flat_.values(), count_);
  }

 private:
  FlatParameters flat_;
  AdamW optimizer_;
  Ema ema_;
  int64_t count_ = 0;
};

void report(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void VaeTrains(benchmark::State& state) {
  auto model = fashion_vae();
  VaeTraining training(model.ptr(), {});
  Stepper stepper(*model);
  const Batch batch{.data = torch::rand({kBatch, 1, 28, 28}) * 2 - 1,
                    .samples = torch::arange(kBatch)};
  for (auto _ : state)
    stepper.step([&] { return training.losses(batch).total; });
  report(state);
}

void VaeEncodes(benchmark::State& state) {
  const torch::InferenceMode inference;
  auto model = fashion_vae();
  const auto images = torch::rand({kBatch, 1, 28, 28}) * 2 - 1;
  for (auto _ : state)
    benchmark::DoNotOptimize(model->encode(images).mean.data_ptr());
  report(state);
}

void VaeDecodes(benchmark::State& state) {
  const torch::InferenceMode inference;
  auto model = fashion_vae();
  const auto latents = torch::randn({kBatch, 4, 7, 7});
  for (auto _ : state)
    benchmark::DoNotOptimize(model->decode(latents).data_ptr());
  report(state);
}

void UNetTrains(benchmark::State& state) {
  auto model = latent_unet();
  Stepper stepper(*model);
  const auto latents = torch::randn({kBatch, 4, 8, 8});
  const auto times = torch::arange(kBatch);
  for (auto _ : state)
    stepper.step([&] {
      return (model->forward(latents, times, {}) - latents).square().mean();
    });
  report(state);
}

void UNetAnswers(benchmark::State& state) {
  const torch::InferenceMode inference;
  auto model = latent_unet();
  const auto latents = torch::randn({kBatch, 4, 8, 8});
  const auto times = torch::arange(kBatch);
  for (auto _ : state)
    benchmark::DoNotOptimize(model->forward(latents, times, {}).data_ptr());
  report(state);
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

BENCHMARK(VaeTrains)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(VaeEncodes)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(VaeDecodes)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(UNetTrains)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(UNetAnswers)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(NormSilu, ours, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(NormSilu, LibTorchs, false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace calotype
