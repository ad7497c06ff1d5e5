// What a step of each sampler costs beside the network: drawing latents with a
// U-Net, in turns with the U-Net's forward passes alone.
#include <torch/utils.h>

#include <algorithm>

#include "core/runtime.h"
#include "denoisers/unet2d_model.h"
#include "diffusion/latent_diffusion.h"

namespace calotype {
namespace {

constexpr int64_t kBatch = 64;
constexpr int64_t kSteps = 10;
constexpr int kRounds = 7;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2,
                   values.end());
  return values[values.size() / 2];
}

template <class Work>
double seconds(Work&& work) {
  const double begin = monotonic_s();
  work();
  return monotonic_s() - begin;
}

void measure(const std::string& sampler, const char* prediction_type) {
  torch::manual_seed(1);
  auto unet = UNet2DModel(
      UNet2DModelConfig{.in_channels = 4,
                        .out_channels = 4,
                        .down_block_types = {"DownBlock2D", "DownBlock2D"},
                        .up_block_types = {"UpBlock2D", "UpBlock2D"},
                        .block_out_channels = {64, 128}});
  LatentDiffusionConfig config;
  config.scheduler.schedule.prediction_type = prediction_type;
  if (noise_path(config.scheduler.schedule) == NoisePath::kFlow)
    config.scheduler.class_name = "FlowMatchEulerDiscreteScheduler";
  if (noise_path(config.scheduler.schedule) == NoisePath::kVarianceExploding)
    config.scheduler.class_name = "EDMEulerScheduler";
  const LatentSpace space{
      .grid_shape = {4, 8, 8}, .mean = {0, 0, 0, 0}, .std = {1, 1, 1, 1}};
  LatentDiffusion model(unet.ptr(), config, space);
  GenerateRequest request{.samples = torch::arange(kBatch, torch::kLong),
                          .num_steps = kSteps,
                          .sampler = sampler};
  const auto questions =
      make_sampler(sampler, config.scheduler.schedule, kSteps)->num_questions();
  const torch::InferenceMode inference;
  unet->eval();
  const auto input = torch::randn({kBatch, 4, 8, 8});
  const auto timestep = torch::full({kBatch}, 500.0f);
  std::vector<double> drawing, forward;
  for (int round = 0; round < kRounds; ++round) {
    drawing.push_back(seconds([&] { model.generate(request); }));
    forward.push_back(seconds([&] {
      for (int64_t i = 0; i < questions; ++i)
        unet->forward(input, timestep, {});
    }));
  }
  fmt::print(
      "{:16} {:16} {:8.1f} images/s of {} steps   {:6.2f} ms a call, "
      "network alone {:6.2f} ms: {:+.1f} %\n",
      sampler, prediction_type, double(kBatch) / median(drawing), kSteps,
      1e3 * median(drawing) / double(questions),
      1e3 * median(forward) / double(questions),
      100 * (median(drawing) / median(forward) - 1));
}

void run() {
  for (const auto* type : {"epsilon", "flow_prediction", "edm"}) {
    ScheduleConfig schedule;
    schedule.prediction_type = type;
    for (const auto& sampler : sampler_names(schedule)) measure(sampler, type);
  }
}

}  // namespace
}  // namespace calotype

int main() {
  calotype::set_up_runtime({.device = "cpu"});
  calotype::run();
}
