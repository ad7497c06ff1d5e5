#include "diffusion/prediction.h"

#include <ATen/Functions.h>

#include <cmath>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

at::Tensor per_sample(const at::Tensor& values, const at::Tensor& like) {
  std::vector<int64_t> shape(size_t(like.dim()), 1);
  shape[0] = values.size(0);
  return values.view(shape).to(like.options());
}

double input_scale(const ScheduleConfig& config, const Mixture& mixture) {
  switch (noise_path(config)) {
    case NoisePath::kFlow:
      return 1 / (mixture.signal + mixture.noise);
    case NoisePath::kVarianceExploding:
      return 1 / std::hypot(mixture.noise, mixture.signal * config.sigma_data);
    default:
      return 1 / std::hypot(mixture.signal, mixture.noise);
  }
}

at::Tensor predicted_x0(const ScheduleConfig& config, const at::Tensor& output,
                        const at::Tensor& state, const Mixture& mixture) {
  const auto [s, n] = mixture;
  const auto& type = config.prediction_type;
  if (type == "sample") return output;
  if (type == "flow_prediction") return (state - n * output) / (s + n);
  if (type == "v_prediction") {
    const double square = s * s + n * n;
    return (s / square) * state - (n / std::sqrt(square)) * output;
  }
  if (type == "edm") {
    const double d = config.sigma_data;
    const double square = n * n + s * s * d * d;
    return (s * d * d / square) * state + (n * d / std::sqrt(square)) * output;
  }
  if (s == 0)
    throw ConfigError(
        "sampler: a network that predicts epsilon cannot start from pure "
        "noise; use a prediction_type of v_prediction or sample with "
        "rescale_betas_zero_snr, or another timestep_spacing");
  return (state - n * output) / s;
}

at::Tensor training_input(const ScheduleConfig& config, const at::Tensor& x0,
                          const at::Tensor& noise, const DrawnLevels& levels) {
  auto input =
      per_sample(levels.signal, x0) * x0 + per_sample(levels.noise, x0) * noise;
  if (noise_path(config) == NoisePath::kVarianceExploding) {
    const double d = config.sigma_data;
    input = input / per_sample((levels.noise.square() + d * d).sqrt(), x0);
  }
  return input;
}

at::Tensor prediction_target(const ScheduleConfig& config, const at::Tensor& x0,
                             const at::Tensor& noise,
                             const DrawnLevels& levels) {
  const auto& type = config.prediction_type;
  if (type == "epsilon") return noise;
  if (type == "sample") return x0;
  if (type == "flow_prediction") return noise - x0;
  const auto s = per_sample(levels.signal, x0),
             n = per_sample(levels.noise, x0);
  if (type == "v_prediction") return s * noise - n * x0;
  // (x_0 - c_skip x) / c_out, multiplied out so that nothing cancels.
  const double d = config.sigma_data;
  return ((n / d) * x0 - d * noise) / (n.square() + d * d).sqrt();
}

at::Tensor squared_error_ratio(const ScheduleConfig& config,
                               const DrawnLevels& levels) {
  const auto signal = levels.signal.square(), noise = levels.noise.square();
  const auto& type = config.prediction_type;
  if (type == "sample") return at::ones_like(signal);
  if (type == "epsilon") return signal / noise;
  if (type == "v_prediction") return (signal + noise) / noise;
  if (type == "flow_prediction") return 1 / noise;
  const double d = config.sigma_data;
  return (noise + d * d) / (noise * d * d);
}

at::Tensor bound_x0(const at::Tensor& x0, const ScheduleConfig& config) {
  if (config.thresholding) {
    const auto magnitudes = x0.flatten(1).abs();  // [N,D*h*w]
    const auto limit =
        at::quantile(magnitudes, config.dynamic_thresholding_ratio, 1)
            .clamp(1, config.sample_max_value);  // [N]
    std::vector<int64_t> shape(size_t(x0.dim()), 1);
    shape[0] = x0.size(0);
    const auto s = limit.view(shape);
    return at::min(at::max(x0, -s), s) / s;
  }
  if (config.clip_sample)
    return x0.clamp(-config.clip_sample_range, config.clip_sample_range);
  return x0;
}

}  // namespace calotype
