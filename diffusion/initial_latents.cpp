#include "diffusion/initial_latents.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"
#include "diffusion/prediction.h"

namespace calotype {
namespace {

/// Throws ConfigError unless `grid` is [1 or N, channels, h, w].
void check_grid(const char* what, const at::Tensor& grid, int64_t N,
                int64_t channels, const LatentSpace& space) {
  const auto h = space.grid_shape[1], w = space.grid_shape[2];
  if (grid.dim() == 4 && (grid.size(0) == 1 || grid.size(0) == N) &&
      grid.size(1) == channels && grid.size(2) == h && grid.size(3) == w)
    return;
  throw ConfigError(
      fmt::format("generate: {} must be {} for this model, got {}", what,
                  shape_text({N, channels, h, w}), shape_text(grid.sizes())));
}

}  // namespace

WalkStart begin_walk(const Sampler& sampler, const InitialLatents& initial,
                     const LatentSpace& space, const at::Tensor& noise) {
  if (!initial.latents.defined()) {
    if (initial.repaint.defined() || initial.strength != 1)
      throw ConfigError(
          "generate: a strength or a mask needs latents to start from");
    return {noise * sampler.initial_sigma(), {}};
  }
  check_grid("the initial latents", initial.latents, noise.size(0),
             space.grid_shape[0], space);
  const auto known =
      space.normalise(initial.latents).to(noise.options()).expand_as(noise);
  const auto noised = [&sampler, known, noise](int64_t index) {
    const auto level = sampler.level(index);
    return level.signal * known + level.noise * noise;
  };
  WalkStart start;
  start.options.first = first_question(sampler, initial.strength);
  start.state = noised(start.options.first);
  if (!initial.repaint.defined()) return start;
  check_grid("the mask", initial.repaint, noise.size(0), 1, space);
  const auto repaint = initial.repaint.to(noise.options());
  start.options.constrain = [noised, repaint](const at::Tensor& state,
                                              int64_t index) {
    return at::lerp(noised(index), state, repaint.expand_as(state));
  };
  return start;
}

at::Tensor keep_known(const InitialLatents& initial,
                      const at::Tensor& latents) {
  if (!initial.repaint.defined()) return latents;
  return at::where(initial.repaint.to(latents.options()).gt(0), latents,
                   initial.latents.to(latents.options()));
}

at::Tensor slerp(const at::Tensor& a, const at::Tensor& b,
                 const at::Tensor& share) {
  if (a.sizes() != b.sizes())
    throw ShapeError("slerp: both ends must be alike, got " +
                     shape_text(a.sizes()) + " and " + shape_text(b.sizes()));
  const auto x = a.flatten(1).to(at::kDouble), y = b.flatten(1).to(at::kDouble);
  const auto cosine =
      (x * y).sum(1) / (x.norm(2, {1}) * y.norm(2, {1})).clamp_min(1e-300);
  const auto angle = cosine.clamp(-1, 1).acos();  // [N]
  const auto t = share.to(at::kDouble);
  const auto sine = angle.sin();
  // Along a line where the circle is none: equal or opposite ends.
  constexpr double kStraight = 1e-6;
  const auto straight = sine.abs().lt(kStraight);
  const auto divisor = at::where(straight, at::ones_like(sine), sine);
  const auto from =
                 at::where(straight, 1 - t, ((1 - t) * angle).sin() / divisor),
             to = at::where(straight, t, (t * angle).sin() / divisor);
  return (per_sample(from, x) * x + per_sample(to, y) * y)
      .view(a.sizes())
      .to(a.options());
}

}  // namespace calotype
