#include "nn/preview.h"

#include <torch/types.h>

namespace calotype {

at::Tensor interleave_rows(const std::vector<at::Tensor>& sets) {
  const auto num_rows = sets.front().size(0) / kPreviewColumns;
  if (num_rows == 0) return {};
  std::vector<at::Tensor> rows;
  for (const auto& set : sets)
    rows.push_back(
        set.narrow(0, 0, num_rows * kPreviewColumns)
            .unflatten(0, std::vector<int64_t>{num_rows, 1, kPreviewColumns}));
  return torch::cat(rows, 1).flatten(0, 2);
}

}  // namespace calotype
