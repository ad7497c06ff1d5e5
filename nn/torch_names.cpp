#include "nn/torch_names.h"

#include <fmt/format.h>

#include "core/printable.h"

namespace calotype {

std::string class_text(const PickleGraph& graph, PickleId id) {
  constexpr size_t kLongest = 200;
  if (graph.kind(id) == PickleKind::kObject) {
    const auto parts = graph.items(id);
    const auto arguments = graph.items(parts[1]);
    // How Python makes objects of old: copyreg._reconstructor(class, ...).
    const bool is_maker =
        graph.is_global(parts[0], "copy_reg", "_reconstructor") ||
        graph.is_global(parts[0], "copyreg", "_reconstructor");
    id = is_maker && !arguments.empty() ? arguments[0] : parts[0];
  }
  // The legacy format keeps a class with its source: ("module", class, ...).
  if (graph.kind(id) == PickleKind::kPersistent) {
    const auto parts = graph.items(graph.items(id)[0]);
    if (parts.size() > 1) id = parts[1];
  }
  if (graph.kind(id) != PickleKind::kGlobal) return "something";
  const auto names = graph.items(id);
  const auto text =
      fmt::format("{}.{}", graph.text(names[0]), graph.text(names[1]));
  return printable(text.substr(0, kLongest));
}

}  // namespace calotype
