#include "diffusion/sampler.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"

namespace calotype {
namespace {

/// The part of `output` that `sampler` reads.
at::Tensor read_part(const Sampler& sampler, const at::Tensor& output,
                     const at::Tensor& state) {
  const auto D = state.size(1);
  const bool has_variance = output.size(1) == 2 * D;
  if (output.size(1) != D && !has_variance)
    throw ConfigError(
        fmt::format("sampler: the network answers {} channels for latents of "
                    "{}; it must be {} or {}",
                    output.size(1), D, D, 2 * D));
  if (sampler.reads_variance() && !has_variance)
    throw ConfigError(fmt::format(
        "sampler: a learned variance_type needs a network that answers {} "
        "channels, variances in the second half; this one answers {}",
        2 * D, output.size(1)));
  return has_variance && !sampler.reads_variance() ? output.narrow(1, 0, D)
                                                   : output;
}

}  // namespace

at::Tensor Sampler::model_input(const at::Tensor& state, int64_t) const {
  return state;
}

int64_t first_question(const Sampler& sampler, double strength) {
  check_range("sampler", "strength", strength, 1e-6, 1);
  const auto n = sampler.num_questions();
  auto first = std::clamp<int64_t>(
      n - int64_t(std::llround(strength * double(n))), 0, n - 1);
  while (!sampler.begins_step(first)) --first;
  return first;
}

at::Tensor run_sampler(Sampler& sampler, at::Tensor state,
                       const Network& network, const NoiseSource& noise,
                       const WalkOptions& options) {
  const auto n = sampler.num_questions();
  for (int64_t i = options.first; i < n; ++i) {
    const double t = sampler.timesteps()[size_t(i)];
    const auto timestep = at::full({state.size(0)}, t, state.options());
    const auto shown = sampler.model_input(state, i);
    if (options.walks_on_input) state = shown;
    const auto answer = network(shown, timestep, sampler.level(i).sigma());
    if (!at::isfinite(answer).all().item<bool>())
      throw DataError(
          fmt::format("sampler: the network's output is not finite at step {} "
                      "of {} (timestep {})",
                      i + 1, n, t));
    const auto output = read_part(sampler, answer, state);
    const auto before = state;
    state = sampler.step(output, state, i, noise);
    if (options.constrain && (i + 1 == n || sampler.begins_step(i + 1)))
      state = options.constrain(state, i + 1);
    if (options.on_step)
      options.on_step(
          {i, state, [&] { return sampler.estimate(output, before, i); }});
  }
  return state;
}

}  // namespace calotype
