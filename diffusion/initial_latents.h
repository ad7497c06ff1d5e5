#pragma once

#include <ATen/core/Tensor.h>

#include "diffusion/latent_space.h"
#include "diffusion/sampler.h"

// Walks that start from given latents instead of from noise alone.
namespace calotype {

struct InitialLatents {
  at::Tensor latents;   // [1,D,h,w] or [N,D,h,w], as the codec gives them;
                        // undefined: none
  double strength = 1;  // share of the steps that are walked, in (0,1]
  at::Tensor repaint;   // [1,1,h,w] or [N,1,h,w], 1 where latents are drawn
                        // anew, 0 where they stay; undefined: everywhere
};

struct WalkStart {
  at::Tensor state;  // [N,D,h,w]
  WalkOptions options;
};

/// Where a walk from `noise` [N,D,h,w] begins: at its first question from noise
/// alone; or, with latents, from as much noise on them as `strength` leaves
/// (SDEdit, arXiv:2108.01073, algorithm 1). What is not repainted is kept at
/// the latents under the same noise after each step (arXiv:2201.09865, equation
/// 8). Throws ConfigError for latents or a mask of another shape than `space`.
WalkStart begin_walk(const Sampler& sampler, const InitialLatents& initial,
                     const LatentSpace& space, const at::Tensor& noise);

/// `latents` [N,D,h,w] with what is not repainted as it was.
at::Tensor keep_known(const InitialLatents& initial, const at::Tensor& latents);

/// The points at `share` [N] of the way from `a` to `b` [N, ...] along the
/// great circle through each pair (Shoemake, "Animating Rotation with
/// Quaternion Curves", SIGGRAPH 1985); noise stays noise on it.
at::Tensor slerp(const at::Tensor& a, const at::Tensor& b,
                 const at::Tensor& share);

}  // namespace calotype
