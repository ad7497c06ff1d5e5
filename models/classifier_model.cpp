#include "models/classifier_model.h"

#include <algorithm>
#include <cctype>

#include "core/config.h"
#include "core/files.h"
#include "core/note.h"
#include "datasets/class_map.h"

namespace calotype {
namespace {

constexpr const char* kNamesFile = "class_names.json";

/// A class as its folder of drawn images used to be called.
std::string old_folder(std::string name) {
  for (auto& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '-';
  return name;
}

/// The one class of `known` whose folder was called `name` then; -1 if there is
/// none, or more than one.
int64_t find_by_old_folder(const std::vector<std::string>& known,
                           const std::string& name) {
  int64_t found = -1;
  if (old_folder(name) != name) return -1;
  for (size_t i = 0; i < known.size(); ++i) {
    if (old_folder(known[i]) != name) continue;
    if (found >= 0) return -1;
    found = int64_t(i);
  }
  return found;
}

}  // namespace

void write_class_names(const std::filesystem::path& path,
                       const std::vector<std::string>& names) {
  write_file_atomic(path / kNamesFile, json_text(names, 2) + "\n");
}

std::vector<std::string> read_class_names(const std::filesystem::path& path) {
  return read_json_file(path / kNamesFile).get<std::vector<std::string>>();
}

std::vector<int64_t> class_order(const std::string& where,
                                 const std::vector<std::string>& known,
                                 const std::vector<std::string>& names) {
  auto order = match_classes(names, known);
  for (size_t i = 0; i < names.size(); ++i) {
    if (order[i] >= 0) continue;
    const auto found = find_by_old_folder(known, names[i]);
    if (found < 0 || std::ranges::find(order, found) != order.end()) continue;
    order[i] = found;
    note(fmt::format("{}: the class \"{}\" is taken for \"{}\"", where,
                     names[i], known[size_t(found)]));
  }
  return order;
}

}  // namespace calotype
