#include "tools/csv.h"

#include <fmt/format.h>
#include <torch/torch.h>

namespace calotype {

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_row_head(const ImageBatch& batch, int64_t row,
                         const std::vector<std::string>& class_names) {
  const auto label = batch.labels[row].item<int64_t>();
  const bool known = label >= 0 && label < int64_t(class_names.size());
  return fmt::format("{},{},{}", batch.indices[row].item<int64_t>(),
                     csv_field(batch.names[size_t(row)]),
                     known ? csv_field(class_names[size_t(label)]) : "");
}

}  // namespace calotype
