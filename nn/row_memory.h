#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>
#include <vector>

// What tensors take in memory, and how many rows of a batch a network may
// therefore be asked for at once (core/memory.h).
namespace calotype {

/// Counts what tensors take that are made while it lives, by this thread and by
/// the slices and loops that it waits for. What libraries take inside of an
/// operator, oneDNN's blocked copies, is not among it.
class TensorMemory {
 public:
  TensorMemory();
  ~TensorMemory();
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;

  int64_t peak_bytes() const;  // at most, at once
  int64_t held_bytes() const;  // now

 private:
  class Counter;
  std::shared_ptr<Counter> counter_;
  c10::DebugInfoGuard guard_;
};

/// What a row whose tensors took `tensor_bytes` takes in all, from above.
int64_t with_scratch(int64_t tensor_bytes);

/// Rows of `row_bytes` each that may be in flight, at least one: as many as fit
/// into three quarters of what is left, since what is freed and kept has gaps.
int64_t rows_that_fit(int64_t row_bytes);

/// Rows that a network without gradients should be asked for at once: those
/// that fit, but on the CPU no more than make 256 MiB for each of
/// `num_threads`, of which it has enough to do.
int64_t rows_in_flight(int64_t row_bytes, int64_t num_threads,
                       c10::Device device);

/// What one row of an input of these sizes was found to take in a network; 0:
/// nobody tried. `network` tells networks apart.
int64_t known_row_bytes(size_t network, const std::vector<at::Tensor>& inputs);
void know_row_bytes(size_t network, const std::vector<at::Tensor>& inputs,
                    int64_t bytes);

}  // namespace calotype
