#pragma once

#include <ATen/core/Tensor.h>
#include <torch/custom_class.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "core/process_group.h"
#include "core/slices.h"
#include "nn/loose_sums.h"
#include "nn/precision.h"
#include "nn/sliced.h"

// What in_slices does with one call of a network.
namespace calotype {

/// Rows of `slice` of each input, undefined where it is.
std::vector<at::Tensor> rows_of(const std::vector<at::Tensor>& inputs,
                                const Slice& slice);

/// forward(inputs) in the numbers and the layout of `compute`; what comes back
/// is in float, channels apart.
at::Tensor computed(const RowFunction& forward,
                    const std::vector<at::Tensor>& inputs,
                    const Compute& compute);

/// Whether rows in flight are counted here.
bool watches_memory();

/// Throws ConfigError where graphs of `num_rows` rows, those of this process,
/// do not fit, judged by that of the first; once for inputs of a shape.
void expect_graphs_fit(size_t network, const std::vector<at::Tensor>& inputs,
                       int64_t num_rows, const RowFunction& forward,
                       const Compute& compute);

/// A call in slices, and what its way back needs.
struct SliceCall : torch::CustomClassHolder {
  RowFunction forward;
  std::vector<at::Tensor> inputs;      // as the caller gave them
  std::vector<at::Tensor> parameters;  // that take gradients
  size_t network = 0;                  // tells it apart, see nn/row_memory.h
  Compute compute;
  int64_t count = 0;
  uint64_t seed = 0;
  ProcessGroup* group = nullptr;    // whose processes have some slices each
  SumsInAnyOrder* loose = nullptr;  // what sums of theirs are left to

  RoundedWeights rounded;  // of all slices

  // Of each slice: its inputs, without what made them, and its answer.
  std::vector<std::vector<at::Tensor>> slice_inputs;
  std::vector<at::Tensor> answers;

  /// Without gradients, as many rows at once as fit into memory.
  at::Tensor run() const;

  /// With a graph for each slice.
  at::Tensor run_with_graphs();

  /// The answer with one graph, that has gradients of gradients.
  at::Tensor run_anew() const;

  /// Gradients of inputs, then of parameters.
  std::vector<at::Tensor> gradients(const at::Tensor& grad);

 private:
  struct OfSlice {
    std::vector<at::Tensor> inputs, parameters;  // gradients of them
  };

  at::Tensor answer_of(int64_t index,
                       const std::vector<at::Tensor>& some) const;
  Slice rows_of_slice(int64_t index) const;
  Slice slices_of(int64_t rank) const;
  Slice own() const;
  void for_each_own(const std::function<void(int64_t)>& body) const;
  std::vector<int64_t> num_slices_each() const;
  at::Tensor joined(const std::vector<at::Tensor>& parts) const;
  OfSlice gradients_of_slice(int64_t index, const at::Tensor& grad);
  std::vector<at::Tensor> summed(
      std::vector<std::vector<at::Tensor>> of_slices) const;
};

}  // namespace calotype
