#include "diffusion/learned_variance.h"

#include <ATen/Functions.h>

#include <cmath>
#include <numbers>

#include "diffusion/prediction.h"

namespace calotype {

at::Tensor log_variance(const at::Tensor& answer, const at::Tensor& log_small,
                        const at::Tensor& log_large) {
  const auto share = (answer + 1) / 2;
  return share * log_large + (1 - share) * log_small;
}

at::Tensor variational_bits(const ScheduleConfig& config,
                            const NoiseSchedule& schedule, const at::Tensor& x0,
                            const at::Tensor& noise, const at::Tensor& t,
                            const at::Tensor& output) {
  const auto table = schedule.alphas_cumprod().to(at::kDouble);
  const auto here = table.index_select(0, t);
  const auto next = at::where(t.gt(0), table.index_select(0, (t - 1).clamp(0)),
                              at::ones_like(here));
  const auto alpha = here / next, beta = 1 - alpha;
  const auto posterior = (1 - next) / (1 - here) * beta;
  // The posterior at t = 0 is a point: its neighbour's variance stands in.
  const auto clipped = schedule.num_timesteps() > 1
                           ? at::where(t.gt(0), posterior,
                                       (1 - table[0]) / (1 - table[1]) *
                                           (1 - table[1] / table[0]))
                           : beta;
  const auto log_small = per_sample(clipped.log(), x0),
             log_large = per_sample(beta.log(), x0);

  const auto halves = output.chunk(2, 1);
  const auto signal = per_sample(here.sqrt(), x0),
             spread = per_sample((1 - here).sqrt(), x0);
  const auto state = signal * x0 + spread * noise;
  const auto answer = halves[0].detach();
  const auto& type = config.prediction_type;
  const auto predicted = type == "sample" ? answer
                         : type == "v_prediction"
                             ? signal * state - spread * answer
                             : (state - spread * answer) / signal;
  // Equation 10 of the means differs in x_0 alone.
  const auto difference =
      per_sample(next.sqrt() * beta / (1 - here), x0) * (x0 - predicted);
  const auto log_model = log_variance(halves[1], log_small, log_large);
  const auto divergence =
      0.5 * (log_model - log_small - 1 + (log_small - log_model).exp() +
             difference.square() * (-log_model).exp());
  // At t = 0 the mean is the prediction itself, as next is 1.
  const auto likelihood = 0.5 * (std::log(2 * std::numbers::pi) + log_model +
                                 difference.square() * (-log_model).exp());
  const auto first = t.eq(0).to(x0.device()).view({-1, 1, 1, 1});
  return at::where(first, likelihood, divergence).flatten(1).mean(1) /
         std::numbers::ln2;
}

}  // namespace calotype
