#include "diffusion/objective.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <numbers>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "diffusion/guidance.h"
#include "diffusion/learned_variance.h"

namespace calotype {
namespace {

at::Tensor draw_normal(const Batch& batch, Stream stream) {
  return normal_rows(batch.data.sizes().slice(1), batch.samples, batch.seed,
                     stream, uint32_t(batch.step))
      .to(batch.data.device());
}

}  // namespace

void ObjectiveConfig::validate() const {
  const auto* where = "objective";
  check_range(where, "label_dropout", label_dropout, 0, 1);
  check_one_of(where, "weighting", weighting, {"uniform", "min_snr", "edm"});
  check_range(where, "min_snr_gamma", min_snr_gamma, 1e-3, 1e6);
  check_range(where, "variance_weight", variance_weight, 0, 1e6);
  time_sampling.validate();
}

Objective::Objective(const ObjectiveConfig& config,
                     const ScheduleConfig& schedule, const LatentSpace& space)
    : config_(config),
      schedule_(schedule),
      levels_(config.time_sampling, schedule),
      space_(space) {
  config_.validate();
  space_.validate("objective");
  if (schedule.prediction_type == "epsilon" &&
      schedule.rescale_betas_zero_snr &&
      (config.weighting == "edm" || schedule.variance_type == "learned_range"))
    throw ConfigError(
        "objective: where noise is all there is (rescale_betas_zero_snr), a "
        "network that predicts epsilon has no finite edm weight and learns no "
        "variance; use v_prediction");
}

at::Tensor Objective::draw_latents(const Batch& batch) const {
  if (!batch.logvar.defined()) return space_.normalise(batch.data);
  const auto std = (0.5 * batch.logvar).exp();
  return space_.normalise(batch.data +
                          std * draw_normal(batch, Stream::kPosterior));
}

at::Tensor Objective::draw_labels(const Batch& batch,
                                  int64_t num_classes) const {
  const auto labels = with_null_class(batch.labels, num_classes);
  if (!labels.defined()) return labels;
  const auto hidden = uniform_rows({}, batch.samples, batch.seed,
                                   Stream::kLabelDropout, uint32_t(batch.step))
                          .lt(config_.label_dropout)
                          .to(labels.device());
  return labels.masked_fill(hidden, num_classes);
}

NoisyBatch Objective::draw(const Batch& batch, int64_t num_classes) const {
  check_shape("objective", "data", batch.data, {-1, -1, -1, -1});
  check_shape("objective", "samples", batch.samples, {batch.data.size(0)});
  return {draw_latents(batch), draw_normal(batch, Stream::kTrainingNoise),
          levels_.draw(batch), draw_labels(batch, num_classes)};
}

at::Tensor Objective::weights(const DrawnLevels& levels) const {
  const auto signal = levels.signal.square(), noise = levels.noise.square();
  if (config_.weighting == "uniform") return at::ones_like(signal);
  const auto& type = schedule_.prediction_type;
  if (config_.weighting == "edm") {
    // Latents are normalised, so that their deviation is 1 where no key says.
    const double d = noise_path(schedule_) == NoisePath::kVarianceExploding
                         ? schedule_.sigma_data
                         : 1;
    return (signal / noise + 1 / (d * d)) /
           squared_error_ratio(schedule_, levels);
  }
  // Without signal the ratio of two zeros would be left: for epsilon
  // min(SNR, gamma) / SNR is 1 there.
  const double gamma = config_.min_snr_gamma;
  const auto snr = signal / noise;
  if (type == "epsilon") return (gamma / snr).clamp_max(1);
  return snr.clamp_max(gamma) / squared_error_ratio(schedule_, levels);
}

void Objective::expect_channels(int64_t answered, int64_t D) const {
  const bool learns = schedule_.variance_type.starts_with("learned");
  if (answered == (learns ? 2 * D : D)) return;
  throw ConfigError(fmt::format(
      "objective: latents have {} channels and variance_type is {}, so the "
      "network must have out_channels {}, got {}",
      D, schedule_.variance_type, learns ? 2 * D : D, answered));
}

LossByLevel Objective::error_by_level(const DrawnLevels& levels,
                                      const at::Tensor& error) const {
  const auto angle = at::atan2(levels.noise, levels.signal);
  const auto of_x0 = error.detach() /
                     squared_error_ratio(schedule_, levels).to(error.device());
  // Epsilon says nothing of x_0 where there is no signal.
  const auto told = at::isfinite(of_x0).nonzero().squeeze(1);
  return {
      (2 / std::numbers::pi * angle).index_select(0, told.to(angle.device())),
      of_x0.index_select(0, told), "arctan(noise / signal) / 90 degrees"};
}

Losses Objective::losses(Denoiser& denoiser, const Batch& batch) const {
  const auto noisy = draw(batch, denoiser.num_classes());
  const auto input =
      training_input(schedule_, noisy.x0, noisy.noise, noisy.levels);
  const auto timestep = noisy.levels.timestep.to(input.options());
  const auto output = denoise(denoiser, input, timestep, noisy.labels);
  const auto D = noisy.x0.size(1);
  expect_channels(output.size(1), D);
  const auto target =
      prediction_target(schedule_, noisy.x0, noisy.noise, noisy.levels);
  const auto error =
      (output.narrow(1, 0, D) - target).square().flatten(1).mean(1);  // [N]
  const auto weighted = weights(noisy.levels).to(error.device()) * error;
  Losses losses{.total = weighted.mean(),
                .parts = {{"mse", error.mean()}},
                .by_level = error_by_level(noisy.levels, error)};
  if (output.size(1) > D) {
    const auto bits = variational_bits(schedule_, *levels_.schedule(), noisy.x0,
                                       noisy.noise, noisy.levels.t, output)
                          .mean();
    losses.total = losses.total + config_.variance_weight *
                                      double(schedule_.num_train_timesteps) *
                                      bits;
    losses.parts.emplace_back("variational_bits", bits);
  }
  return losses;
}

}  // namespace calotype
