#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/slices.h"

// Networks on the CPU work on slices of their batch side by side, each on one
// thread (core/slices.h). What a row becomes does not depend on its slice
// (nn/batch_invariant.h); gradients of weights are added in the order of the
// slices, so that they are the same bits for any number of threads. Losses and
// whatever else looks at the whole batch stand outside and know of no slices.
// Processes of one work (core/process_group.h) have some slices each, and all
// of them every answer and every sum, with the same bits as one process by
// itself.
namespace calotype {

/// While it lives, networks that this thread asks cut a batch into this many
/// slices, gradients being kept or not; 1: into none, and all threads are in
/// each loop. Otherwise, and without gradients, there are as many as threads:
/// it is a matter of speed alone.
class SliceScope {
 public:
  explicit SliceScope(int64_t num_slices);
  ~SliceScope();
  SliceScope(const SliceScope&) = delete;
  SliceScope& operator=(const SliceScope&) = delete;

 private:
  std::optional<int64_t> before_;
};

/// A network's answer [N,...] to inputs of N rows each, or undefined.
using RowFunction =
    std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

/// forward(inputs), slice by slice, in the precision of the process or its
/// scope and the layout that suits it (nn/precision.h). What goes in and comes
/// out is in float with channels apart. `parameters`: that `forward` uses; of
/// those that take gradients there are some. Each row of the answer must be
/// that of its row of the inputs alone; what is drawn at random must be drawn
/// by drop_out(). Gradients of gradients are those of `forward` called anew.
at::Tensor in_slices(const std::vector<at::Tensor>& parameters,
                     const std::vector<at::Tensor>& inputs,
                     const RowFunction& forward);

/// The same of a module that uses its own.
at::Tensor in_slices(const torch::nn::Module& module,
                     const std::vector<at::Tensor>& inputs,
                     const RowFunction& forward);

/// x with a share `p` of its numbers 0 and the others 1 / (1 - p) times as
/// large, if `is_training` (Srivastava et al., "Dropout", JMLR 15, 2014). In a
/// slice, drawn by its number.
at::Tensor drop_out(const at::Tensor& x, double p, bool is_training);

}  // namespace calotype
