#include "datasets/class_list.h"

#include <string_view>

namespace calotype {
namespace {

/// Bytes of the longest of `known` that `text` begins with and that ends where
/// a comma or the text's end is; 0 if there is none.
size_t longest_known(std::string_view text,
                     const std::vector<std::string>& known) {
  size_t longest = 0;
  for (const auto& name : known)
    if (name.size() > longest && text.starts_with(name) &&
        (name.size() == text.size() || text[name.size()] == ','))
      longest = name.size();
  return longest;
}

}  // namespace

std::vector<std::string> parse_class_list(
    const std::string& text, const std::vector<std::string>& known) {
  std::vector<std::string> names;
  std::string_view rest = text;
  while (!rest.empty()) {
    auto size = longest_known(rest, known);
    if (size == 0) size = std::min(rest.find(','), rest.size());
    names.emplace_back(rest.substr(0, size));
    rest.remove_prefix(std::min(size + 1, rest.size()));
  }
  return names;
}

}  // namespace calotype
