#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace calotype {

/// One batch for any trainable thing.
struct Batch {
  at::Tensor data;     // images [N,C,H,W] in [-1,1], latent means [N,D,h,w],
                       // or tokens [N,L,h,w] int64
  at::Tensor logvar;   // of the latents, or undefined
  at::Tensor latents;  // means [N,D,h,w] of the images in data, or undefined
  at::Tensor labels;   // [N] int64, -1 where unknown
  at::Tensor samples;  // [N] int64, names each sample's random draws on the CPU
  uint64_t seed = 0;   // of the run
  // Names the draws of this batch with seed and samples: steps_done in
  // training, the same each time in validation and previews.
  int64_t step = 0;
  int64_t steps_done = 0;  // optimizer steps so far
};

/// How the loss of each sample goes with what was asked of the network: the
/// noise level of a diffusion model.
struct LossByLevel {
  at::Tensor level;  // [N] in [0,1], 0 the cleanest
  at::Tensor loss;   // [N] without weights
  std::string name;  // what the level is
};

/// Named losses of one batch. `total` is what is minimised; `parts` are what
/// metrics.jsonl and the progress line show, in order.
struct Losses {
  at::Tensor total;                                       // scalar
  std::vector<std::pair<std::string, at::Tensor>> parts;  // scalars
  std::string warning;   // what a person should know now; mostly empty
  LossByLevel by_level;  // undefined tensors where there are no levels
};

/// What the one trainer can train.
class Trainable {
 public:
  virtual ~Trainable() = default;

  /// Loss of a batch. All randomness comes from (seed, samples, step).
  virtual Losses losses(const Batch& batch) = 0;

  /// The network that is saved.
  virtual torch::nn::Module& module() = 0;

  /// All that is trained: the network, and what helps it to learn.
  virtual torch::nn::Module& trained_module() { return module(); }

  /// Whether networks may work on slices of the batch in step `step`
  /// (nn/sliced.h): all but those whose gradients a loss asks for itself, which
  /// slices would compute anew.
  virtual bool takes_slices(int64_t) const { return true; }

  /// Names of the parameters that step `step` may change; empty: all of them.
  virtual std::vector<std::string> trained_parameters(int64_t) const {
    return {};
  }

  /// What only training needs, by name: kept in the checkpoint, not in the
  /// model.
  virtual std::vector<std::pair<std::string, at::Tensor>> training_state() {
    return {};
  }

  /// Images or latents that show how far training is (fixed inputs, fixed
  /// noise), or an undefined tensor. Called with the averaged weights in place.
  virtual at::Tensor preview(const Batch& batch) = 0;
};

}  // namespace calotype
