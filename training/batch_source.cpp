#include "training/batch_source.h"

#include "core/error.h"

namespace calotype {

Batch BatchSource::next() {
  for (int num_ends = 0; num_ends < 2; ++num_ends)
    if (auto batch = next_of_epoch()) return std::move(*batch);
  throw DataError(name() + ": holds nothing that can be read");
}

void rename_labels(at::Tensor& labels, const std::vector<int64_t>& names) {
  if (names.empty()) return;
  auto* label = labels.data_ptr<int64_t>();
  for (int64_t i = 0; i < labels.numel(); ++i)
    if (label[i] >= 0) label[i] = names.at(size_t(label[i]));
}

}  // namespace calotype
