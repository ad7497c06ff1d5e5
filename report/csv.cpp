#include "report/csv.h"

#include <fmt/format.h>

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

std::string csv_row_head(int64_t index, const std::string& name, int64_t label,
                         const std::vector<std::string>& class_names) {
  const bool known = label >= 0 && label < std::ssize(class_names);
  return fmt::format("{},{},{}", index, csv_field(name),
                     known ? csv_field(class_names[size_t(label)]) : "");
}

std::string csv_row_head(const ImageBatch& batch, int64_t row,
                         const std::vector<std::string>& class_names) {
  return csv_row_head(batch.indices[row].item<int64_t>(),
                      batch.names[size_t(row)],
                      batch.labels[row].item<int64_t>(), class_names);
}

}  // namespace calotype
