#include "nn/torch_storage.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/printable.h"
#include "nn/torch_names.h"

namespace calotype {
namespace {

struct StorageClass {
  std::string_view module, name;
  std::optional<ElementType> type;
  uint64_t element_size;
  std::string_view why;
};

constexpr std::string_view kComplex = "complex numbers";
constexpr std::string_view kQuantized = "quantized numbers";

constexpr StorageClass kStorageClasses[] = {
    {"torch", "DoubleStorage", ElementType::kF64, 8, ""},
    {"torch", "FloatStorage", ElementType::kF32, 4, ""},
    {"torch", "HalfStorage", ElementType::kF16, 2, ""},
    {"torch", "BFloat16Storage", ElementType::kBF16, 2, ""},
    {"torch", "LongStorage", ElementType::kI64, 8, ""},
    {"torch", "IntStorage", ElementType::kI32, 4, ""},
    {"torch", "ShortStorage", ElementType::kI16, 2, ""},
    {"torch", "CharStorage", ElementType::kI8, 1, ""},
    {"torch", "ByteStorage", ElementType::kU8, 1, ""},
    {"torch", "BoolStorage", ElementType::kBool, 1, ""},
    {"torch", "UntypedStorage", {}, 1, ""},
    {"torch.storage", "UntypedStorage", {}, 1, ""},
    {"torch", "ComplexFloatStorage", {}, 8, kComplex},
    {"torch", "ComplexDoubleStorage", {}, 16, kComplex},
    {"torch", "QInt8Storage", {}, 1, kQuantized},
    {"torch", "QUInt8Storage", {}, 1, kQuantized},
    {"torch", "QInt32Storage", {}, 4, kQuantized},
    {"torch", "QUInt4x2Storage", {}, 1, kQuantized},
    {"torch", "QUInt2x4Storage", {}, 1, kQuantized},
};

/// A count that is no more than what a file could ever hold.
std::optional<uint64_t> count_of(const PickleGraph& graph, PickleId id) {
  if (graph.kind(id) != PickleKind::kInt) return {};
  const auto value = graph.integer(id);
  if (value < 0 || value >= (int64_t{1} << 56)) return {};
  return uint64_t(value);
}

/// (key, offset, number of elements).
std::optional<TorchStorage::View> view_of(const PickleGraph& graph,
                                          PickleId id) {
  const auto items = graph.items(id);
  if (graph.kind(id) != PickleKind::kTuple || items.size() != 3 ||
      graph.kind(items[0]) != PickleKind::kText)
    return {};
  const auto offset = count_of(graph, items[1]),
             size = count_of(graph, items[2]);
  if (!offset || !size) return {};
  return TorchStorage::View{graph.text(items[0]), *offset, *size};
}

}  // namespace

std::optional<TorchStorage> torch_storage(const PickleGraph& graph, PickleId id,
                                          const std::string& where) {
  const auto fail = [&](const std::string& what) {
    throw DataError(fmt::format("{}: {}", where, what));
  };
  const auto name = graph.items(id)[0];
  const auto parts = graph.items(name);
  if (graph.kind(name) != PickleKind::kTuple || parts.empty() ||
      graph.kind(parts[0]) != PickleKind::kText)
    fail("a persistent id that is no storage");
  if (graph.text(parts[0]) == "module") return {};
  if (graph.text(parts[0]) != "storage" || parts.size() < 5 ||
      graph.kind(parts[2]) != PickleKind::kText)
    fail("a persistent id that is no storage");
  const StorageClass* known = nullptr;
  for (const auto& candidate : kStorageClasses)
    if (graph.is_global(parts[1], candidate.module, candidate.name))
      known = &candidate;
  if (!known)
    fail(fmt::format("numbers of a type that PyTorch does not have: {}",
                     class_text(graph, parts[1])));
  const auto count = count_of(graph, parts[4]);
  if (!count) fail("a storage whose size cannot be");
  TorchStorage storage{.key = graph.text(parts[2]),
                       .type = known->type,
                       .why = known->why,
                       .element_size = known->element_size,
                       .num_elements = *count,
                       .view = {}};
  if (parts.size() > 5 && graph.kind(parts[5]) != PickleKind::kNone) {
    storage.view = view_of(graph, parts[5]);
    if (!storage.view || storage.view->offset > *count ||
        storage.view->num_elements > *count - storage.view->offset)
      fail(fmt::format("part of storage {} lies outside of it",
                       printable(storage.key)));
  }
  return storage;
}

}  // namespace calotype
