#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/process_group.h"

namespace calotype {

/// While it lives, what processes of one work (core/process_group.h) add to
/// gradients of weights is added up in whatever order is quickest, while the
/// way back goes on; the last bits then depend on how many processes there are.
/// Without it, slices of all processes are added in their order.
class SumsInAnyOrder {
 public:
  SumsInAnyOrder();
  ~SumsInAnyOrder();
  SumsInAnyOrder(const SumsInAnyOrder&) = delete;
  SumsInAnyOrder& operator=(const SumsInAnyOrder&) = delete;

  /// Of this thread, or null.
  static SumsInAnyOrder* current();

  /// Begins to add up `sums` of the processes of `group`; those that are
  /// undefined are so in all of them.
  void add(ProcessGroup& group, const std::vector<at::Tensor>& parameters,
           const std::vector<at::Tensor>& sums);

  /// Adds the sums to the gradients, once the way back is done.
  void finish();

 private:
  struct Pending;
  std::vector<Pending> pending_;
};

}  // namespace calotype
