#include "diffusion/training_levels.h"

#include <ATen/Functions.h>

#include "core/check.h"
#include "core/random.h"

namespace calotype {
namespace {

at::Tensor normal_draws(const Batch& batch) {
  return normal_rows({}, batch.samples, batch.seed, Stream::kTimestep,
                     uint32_t(batch.step));
}

}  // namespace

void TimeSamplingConfig::validate() const {
  const auto* where = "objective: time_sampling";
  check_one_of(where, "distribution", distribution,
               {"uniform", "logit_normal"});
  check_range(where, "logit_mean", logit_mean, -20, 20);
  check_range(where, "logit_std", logit_std, 1e-3, 20);
  check_range(where, "log_sigma_mean", log_sigma_mean, -20, 20);
  check_range(where, "log_sigma_std", log_sigma_std, 1e-3, 20);
}

TrainingLevels::TrainingLevels(const TimeSamplingConfig& sampling,
                               const ScheduleConfig& schedule)
    : sampling_(sampling), config_(schedule) {
  sampling.validate();
  schedule.validate();
  if (noise_path(schedule) == NoisePath::kVariancePreserving)
    table_.emplace(schedule);
}

at::Tensor TrainingLevels::draw_times(const Batch& batch) const {
  if (sampling_.distribution == "uniform")
    return uniform_rows({}, batch.samples, batch.seed, Stream::kTimestep,
                        uint32_t(batch.step));
  return (sampling_.logit_mean + sampling_.logit_std * normal_draws(batch))
      .sigmoid();
}

at::Tensor TrainingLevels::draw_timesteps(const Batch& batch) const {
  const auto T = config_.num_train_timesteps;
  if (sampling_.distribution != "uniform")
    return (draw_times(batch).to(at::kDouble) * double(T))
        .floor()
        .clamp_max(double(T - 1))
        .to(at::kLong);
  const auto samples = batch.samples.contiguous();
  auto t = at::empty_like(samples);
  for (int64_t i = 0; i < t.size(0); ++i)
    t.data_ptr<int64_t>()[i] = uniform_index(
        {batch.seed, Stream::kTimestep,
         uint64_t(samples.data_ptr<int64_t>()[i]), uint32_t(batch.step)},
        T);
  return t;
}

DrawnLevels TrainingLevels::at_timesteps(const at::Tensor& t) const {
  const auto alpha_bar = table_->alphas_cumprod().index_select(0, t);
  return {alpha_bar.sqrt(), (1 - alpha_bar).sqrt(), t.to(at::kFloat), t};
}

DrawnLevels TrainingLevels::at_flow_times(const at::Tensor& sigma) const {
  return {1 - sigma, sigma, sigma * double(config_.num_train_timesteps), {}};
}

DrawnLevels TrainingLevels::at_log_sigmas(const at::Tensor& log_sigma) const {
  return {at::ones_like(log_sigma), log_sigma.exp(), log_sigma / 4, {}};
}

DrawnLevels TrainingLevels::draw(const Batch& batch) const {
  switch (noise_path(config_)) {
    case NoisePath::kFlow: {
      const auto u = draw_times(batch);
      const double s = config_.shift;
      return at_flow_times(s * u / (1 + (s - 1) * u));
    }
    case NoisePath::kVarianceExploding:
      return at_log_sigmas(sampling_.log_sigma_mean +
                           sampling_.log_sigma_std * normal_draws(batch));
    default:
      return at_timesteps(draw_timesteps(batch));
  }
}

}  // namespace calotype
