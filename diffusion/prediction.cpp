#include "diffusion/prediction.h"

#include <ATen/Functions.h>

#include <cmath>

#include "core/error.h"

namespace calotype {

Prediction read_prediction(const std::string& prediction_type,
                           const at::Tensor& output, const at::Tensor& sample,
                           float alpha_bar) {
  const float signal = std::sqrt(alpha_bar), noise = std::sqrt(1 - alpha_bar);
  if (prediction_type == "v_prediction")
    return {signal * sample - noise * output, signal * output + noise * sample};
  if (prediction_type == "sample")
    return {output, (sample - signal * output) / noise};
  if (signal == 0)
    throw ConfigError(
        "sampler: a network that predicts epsilon cannot start from pure "
        "noise; "
        "use a prediction_type of v_prediction or sample with "
        "rescale_betas_zero_snr, or another timestep_spacing");
  return {(sample - noise * output) / signal, output};
}

at::Tensor prediction_target(const std::string& prediction_type,
                             const NoiseSchedule& schedule,
                             const at::Tensor& x0, const at::Tensor& noise,
                             const at::Tensor& t) {
  if (prediction_type == "v_prediction") return schedule.velocity(x0, noise, t);
  return prediction_type == "sample" ? x0 : noise;
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
