#include "diffusion/objective.h"

#include <ATen/Functions.h>

#include "core/check.h"
#include "core/random.h"
#include "diffusion/guidance.h"
#include "diffusion/prediction.h"

namespace calotype {
namespace {

at::Tensor draw_timesteps(const Batch& batch, int64_t num_timesteps) {
  const auto samples = batch.samples.contiguous();
  auto t = at::empty_like(samples);
  for (int64_t i = 0; i < t.size(0); ++i)
    t.data_ptr<int64_t>()[i] = uniform_index(
        {batch.seed, Stream::kTimestep,
         uint64_t(samples.data_ptr<int64_t>()[i]), uint32_t(batch.step)},
        num_timesteps);
  return t;
}

at::Tensor draw_normal(const Batch& batch, Stream stream) {
  return normal_rows(batch.data.sizes().slice(1), batch.samples, batch.seed,
                     stream, uint32_t(batch.step))
      .to(batch.data.device());
}

}  // namespace

void ObjectiveConfig::validate() const {
  const auto* where = "objective";
  check_range(where, "label_dropout", label_dropout, 0, 1);
  check_one_of(where, "weighting", weighting, {"uniform", "min_snr"});
  check_range(where, "min_snr_gamma", min_snr_gamma, 1e-3, 1e6);
}

Objective::Objective(const ObjectiveConfig& config,
                     const ScheduleConfig& schedule, const LatentSpace& space)
    : config_(config),
      prediction_type_(schedule.prediction_type),
      schedule_(schedule),
      space_(space) {
  config_.validate();
  space_.validate("objective");
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
  const auto labels = draw_labels(batch, num_classes);
  const auto x0 = draw_latents(batch);
  const auto t = draw_timesteps(batch, schedule_.num_timesteps());
  const auto noise = draw_normal(batch, Stream::kTrainingNoise);
  return {schedule_.add_noise(x0, noise, t), t, labels,
          prediction_target(prediction_type_, schedule_, x0, noise, t)};
}

at::Tensor Objective::weights(const at::Tensor& t) const {
  const auto snr = schedule_.signal_to_noise(t);
  if (config_.weighting == "uniform") return at::ones_like(snr);
  const double gamma = config_.min_snr_gamma;
  if (prediction_type_ == "sample") return snr.clamp_max(gamma);
  // gamma / SNR goes to infinity where SNR goes to 0, and the weight to 1.
  if (prediction_type_ == "epsilon") return (gamma / snr).clamp_max(1);
  return snr.clamp_max(gamma) / (snr + 1);
}

Losses Objective::losses(Denoiser& denoiser, const Batch& batch) const {
  const auto noisy = draw(batch, denoiser.num_classes());
  const auto timestep = noisy.t.to(noisy.sample.options());
  const auto output = denoiser.forward(noisy.sample, timestep, noisy.labels);
  const auto error =
      (output - noisy.target).square().flatten(1).mean(1);  // [N]
  const auto weighted = weights(noisy.t).to(error.device()) * error;
  return {weighted.mean(), {{"mse", error.mean()}}};
}

}  // namespace calotype
