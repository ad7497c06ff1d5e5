#include "nn/torch_tensor.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/error.h"
#include "nn/torch_names.h"

namespace calotype {
namespace {

constexpr size_t kMaxDims = 64;  // PyTorch's own limit

/// The functions that rebuild tensors.
enum class Rebuilds {
  kNothing,
  kTensor,       // (storage, offset, size, stride, ...)
  kTypedTensor,  // the same with a type at 6, of an untyped storage
  kParameter,    // (tensor, ...)
  kSubclass,     // (function, class, arguments, ...)
  kOther         // a tensor, and none that is held here
};

struct RebuildFunction {
  std::string_view module, name;
  Rebuilds rebuilds;
  std::string_view why = "";  // kOther: what it holds
};

constexpr RebuildFunction kRebuildFunctions[] = {
    {"torch._utils", "_rebuild_tensor", Rebuilds::kTensor},
    {"torch._utils", "_rebuild_tensor_v2", Rebuilds::kTensor},
    {"torch._utils", "_rebuild_tensor_v3", Rebuilds::kTypedTensor},
    {"torch._utils", "_rebuild_parameter", Rebuilds::kParameter},
    {"torch._utils", "_rebuild_parameter_with_state", Rebuilds::kParameter},
    {"torch.nn.parameter", "Parameter", Rebuilds::kParameter},
    {"torch._tensor", "_rebuild_from_type_v2", Rebuilds::kSubclass},
    {"torch._utils", "_rebuild_sparse_tensor", Rebuilds::kOther,
     "a sparse tensor"},
    {"torch._utils", "_rebuild_sparse_csr_tensor", Rebuilds::kOther,
     "a sparse tensor"},
    {"torch._utils", "_rebuild_nested_tensor", Rebuilds::kOther,
     "a nested tensor"},
    {"torch._utils", "_rebuild_qtensor", Rebuilds::kOther, "quantized numbers"},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", Rebuilds::kOther,
     "a tensor without numbers"},
    {"torch._utils", "_rebuild_wrapper_subclass", Rebuilds::kOther,
     "a tensor of a class of its own"},
    {"torch._utils", "_rebuild_device_tensor_from_numpy", Rebuilds::kOther,
     "a tensor kept as a NumPy array"},
    {"torch._utils", "_rebuild_device_tensor_from_cpu_tensor",
     Rebuilds::kParameter},
};

const RebuildFunction* rebuild_function(const PickleGraph& graph, PickleId id) {
  for (const auto& known : kRebuildFunctions)
    if (graph.is_global(id, known.module, known.name)) return &known;
  return nullptr;
}

struct DtypeName {
  std::string_view name;
  std::optional<ElementType> type;  // nothing: not held here
  uint64_t element_size;
};

// What has no storage class of its own.
constexpr DtypeName kDtypes[] = {
    {"float8_e4m3fn", ElementType::kF8E4M3, 1},
    {"float8_e5m2", ElementType::kF8E5M2, 1},
    {"float64", ElementType::kF64, 8},
    {"float32", ElementType::kF32, 4},
    {"float16", ElementType::kF16, 2},
    {"bfloat16", ElementType::kBF16, 2},
    {"int64", ElementType::kI64, 8},
    {"int32", ElementType::kI32, 4},
    {"int16", ElementType::kI16, 2},
    {"int8", ElementType::kI8, 1},
    {"uint8", ElementType::kU8, 1},
    {"bool", ElementType::kBool, 1},
    {"uint16", {}, 2},
    {"uint32", {}, 4},
    {"uint64", {}, 8},
    {"float8_e4m3fnuz", {}, 1},
    {"float8_e5m2fnuz", {}, 1},
    {"float8_e8m0fnu", {}, 1},
};

/// Reads one tensor; every complaint is a DataError that begins with `where`.
class TensorOfPickle {
 public:
  TensorOfPickle(const PickleGraph& graph, const StorageBytes& bytes_of,
                 const std::string& where)
      : graph_(graph), bytes_of_(bytes_of), where_(where) {}

  TorchTensor read(PickleId id) const {
    const auto parts = graph_.items(id);
    return read_made(parts[0], parts[1], /*depth=*/0);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}: {}", where_, what));
  }

  TorchTensor read_made(PickleId function, PickleId arguments,
                        int depth) const {
    constexpr int kDeepest = 8;  // parameters of parameters, which nobody has
    const auto* known = rebuild_function(graph_, function);
    if (!known || depth > kDeepest) fail("a tensor that nothing rebuilds");
    const auto given = graph_.items(arguments);
    switch (known->rebuilds) {
      case Rebuilds::kTensor:
      case Rebuilds::kTypedTensor:
        return read_tensor_of(given, known->rebuilds);
      case Rebuilds::kParameter:
        if (given.empty() || !is_torch_tensor(graph_, given[0]))
          fail("a parameter without a tensor");
        return read_made(graph_.items(given[0])[0], graph_.items(given[0])[1],
                         depth + 1);
      case Rebuilds::kSubclass:
        if (given.size() < 3 || graph_.kind(given[2]) != PickleKind::kTuple)
          fail("a tensor without numbers");
        if (!graph_.is_global(given[1], "torch", "Tensor") &&
            !graph_.is_global(given[1], "torch.nn.parameter", "Parameter"))
          return {{}, "a tensor of the class " + class_text(graph_, given[1])};
        return read_made(given[0], given[2], depth + 1);
      default:
        return {{}, std::string(known->why)};
    }
  }

  TorchTensor read_tensor_of(std::span<const PickleId> given,
                             Rebuilds rebuilds) const {
    const bool is_typed = rebuilds == Rebuilds::kTypedTensor;
    if (given.size() < (is_typed ? 7u : 4u) ||
        graph_.kind(given[0]) != PickleKind::kPersistent)
      fail("a tensor without a storage, offset, shape and strides");
    auto storage = torch_storage(graph_, given[0], where_);
    if (!storage) fail("a tensor whose storage is a class");
    if (is_typed) set_type(*storage, given[6]);
    const auto offset = integer(given[1]);
    auto shape = integers(given[2]), strides = integers(given[3]);
    const auto all = bytes_of_(*storage);
    if (!storage->type)
      return {{},
              storage->why.empty() ? "a storage without a type"
                                   : std::string(storage->why)};
    if (has_metadata(given, is_typed)) return {{}, "negated or conjugated"};
    auto elements = all.first(size_t(storage->num_bytes()));
    if (storage->view)
      elements = elements.subspan(
          size_t(storage->view->offset * storage->element_size),
          size_t(storage->view->num_elements * storage->element_size));
    check_inside(shape, strides, offset,
                 elements.size() / storage->element_size);
    return {{.type = *storage->type,
             .shape = std::move(shape),
             .strides = std::move(strides),
             .elements = elements.subspan(size_t(offset) *
                                          size_t(storage->element_size))},
            ""};
  }

  void set_type(TorchStorage& storage, PickleId dtype) const {
    for (const auto& known : kDtypes)
      if (graph_.is_global(dtype, "torch", known.name)) {
        if (storage.element_size != 1 || storage.view)
          fail("a storage of two types");
        storage.type = known.type;
        storage.why = known.type ? "" : known.name;
        storage.num_elements /= known.element_size;
        storage.element_size = known.element_size;
        return;
      }
    fail("numbers of an unknown type: " + class_text(graph_, dtype));
  }

  /// Whether the last argument asks for another sign than that of the numbers.
  bool has_metadata(std::span<const PickleId> given, bool is_typed) const {
    const size_t at = is_typed ? 7 : 6;
    if (given.size() <= at) return false;
    const auto items = graph_.items(given[at]);
    for (size_t i = 1; i < items.size(); i += 2)
      if (graph_.kind(items[i]) == PickleKind::kBool &&
          graph_.integer(items[i]) != 0)
        return true;
    return false;
  }

  int64_t integer(PickleId id) const {
    if (graph_.kind(id) != PickleKind::kInt)
      fail("a tensor whose shape, strides or offset cannot be");
    return graph_.integer(id);
  }

  /// Of a tuple, or of torch.Size of one.
  std::vector<int64_t> integers(PickleId id) const {
    if (graph_.kind(id) == PickleKind::kObject) {
      const auto parts = graph_.items(id);
      const auto given = graph_.items(parts[1]);
      if (graph_.is_global(parts[0], "torch", "Size") && given.size() == 1)
        id = given[0];
    }
    const auto items = graph_.items(id);
    if ((graph_.kind(id) != PickleKind::kTuple &&
         graph_.kind(id) != PickleKind::kList) ||
        items.size() > kMaxDims)
      fail("a tensor whose shape or strides cannot be");
    std::vector<int64_t> numbers;
    for (const auto item : items) numbers.push_back(integer(item));
    return numbers;
  }

  void check_inside(const std::vector<int64_t>& shape,
                    const std::vector<int64_t>& strides, int64_t offset,
                    uint64_t num_elements) const {
    if (shape.size() != strides.size())
      fail(fmt::format("a tensor of {} sizes and {} strides", shape.size(),
                       strides.size()));
    bool is_empty = false;
    int64_t last = offset;  // the farthest element
    for (size_t d = 0; d < shape.size(); ++d) {
      int64_t way = 0;
      if (shape[d] < 0 || strides[d] < 0)
        fail("a tensor with a negative size or stride");
      is_empty |= shape[d] == 0;
      if (shape[d] > 1 &&
          (__builtin_mul_overflow(shape[d] - 1, strides[d], &way) ||
           __builtin_add_overflow(last, way, &last)))
        fail("a tensor that is larger than any memory");
    }
    const auto end = is_empty ? offset : last;
    if (offset < 0 || last < 0 || uint64_t(end) > num_elements ||
        (!is_empty && uint64_t(last) >= num_elements))
      fail(fmt::format("a tensor that leads out of its storage of {} elements",
                       num_elements));
    if (!checked_bytes(shape, sizeof(double)))
      fail("a tensor that is larger than any memory");
  }

  const PickleGraph& graph_;
  const StorageBytes& bytes_of_;
  const std::string& where_;
};

}  // namespace

bool is_torch_tensor(const PickleGraph& graph, PickleId id) {
  return graph.kind(id) == PickleKind::kObject &&
         rebuild_function(graph, graph.items(id)[0]) != nullptr;
}

TorchTensor torch_tensor(const PickleGraph& graph, PickleId id,
                         const StorageBytes& bytes_of,
                         const std::string& where) {
  return TensorOfPickle(graph, bytes_of, where).read(id);
}

}  // namespace calotype
