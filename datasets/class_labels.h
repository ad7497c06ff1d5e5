#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calotype {

/// Classes of a set, and the one of each image; -1: none.
struct ClassLabels {
  std::vector<std::string> names;
  std::vector<int32_t> labels;
};

/// Classes by what each image's is called, nothing where it has none. They are
/// in the order of their numbers if all are whole numbers, else in that of the
/// bytes of their names.
ClassLabels class_labels(const std::vector<std::optional<std::string>>& called);

/// `text` without blanks around it, as a class is called; nothing for no text.
std::optional<std::string> class_name_in(std::string_view text);

}  // namespace calotype
