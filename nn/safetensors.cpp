#include "nn/safetensors.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <set>

#include "core/check.h"
#include "core/config.h"
#include "core/error.h"
#include "core/file_parts.h"
#include "core/files.h"

namespace calotype {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr size_t kAlignment = 8;  // of the first tensor's bytes

struct TypeName {
  const char* name;
  at::ScalarType type;
};

constexpr std::array<TypeName, 10> kTypes{{{"F64", at::kDouble},
                                           {"F32", at::kFloat},
                                           {"F16", at::kHalf},
                                           {"BF16", at::kBFloat16},
                                           {"I64", at::kLong},
                                           {"I32", at::kInt},
                                           {"I16", at::kShort},
                                           {"I8", at::kChar},
                                           {"U8", at::kByte},
                                           {"BOOL", at::kBool}}};

/// Where one tensor lies, as the header says.
struct Entry {
  std::string name;
  at::ScalarType type = at::kFloat;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

/// Bytes of a tensor, or nothing if the product overflows.
std::optional<uint64_t> checked_bytes(const Entry& entry) {
  uint64_t bytes = at::elementSize(entry.type);
  for (const auto size : entry.shape)
    if (size < 0 || __builtin_mul_overflow(bytes, uint64_t(size), &bytes))
      return {};
  return bytes;
}

/// Parses the header; every complaint is a DataError that begins with `where`.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, uint64_t buffer_bytes, std::string where)
      : where_(std::move(where)) {
    const auto json = parse(text);
    for (const auto& item : json.items()) {
      if (item.key() == "__metadata__")
        read_metadata(item.value());
      else
        entries_.push_back(read_entry(item.key(), item.value()));
    }
    check_tiling(buffer_bytes);
  }

  const std::vector<Entry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const {
    return metadata_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": " + what);
  }

  // The JSON library keeps the last of two equal keys; the format forbids them.
  nlohmann::json parse(std::string_view text) const {
    std::vector<std::set<std::string>> open;
    const auto refuse = [&](int depth, nlohmann::json::parse_event_t event,
                            nlohmann::json& value) {
      using Event = nlohmann::json::parse_event_t;
      if (depth > kMaxJsonDepth) fail("the header is nested too deep");
      if (event == Event::object_start) open.emplace_back();
      if (event == Event::object_end) open.pop_back();
      if (event == Event::key &&
          !open.back().insert(value.get<std::string>()).second)
        fail(fmt::format("key \"{}\" stands twice in the header",
                         value.get<std::string>()));
      return true;
    };
    try {
      auto json = nlohmann::json::parse(text, refuse);
      if (!json.is_object()) fail("the header is not a JSON object");
      return json;
    } catch (const nlohmann::json::exception&) {
      fail("the header is not JSON");
    }
  }

  void read_metadata(const nlohmann::json& json) {
    if (json.is_null()) return;
    if (!json.is_object()) fail("__metadata__ is not an object");
    for (const auto& item : json.items())
      metadata_[item.key()] = item.value().is_string()
                                  ? item.value().get<std::string>()
                                  : json_text(item.value());
  }

  Entry read_entry(const std::string& name, const nlohmann::json& json) const {
    Entry entry{.name = name};
    try {
      const auto type = json.at("dtype").get<std::string>();
      const auto known =
          std::find_if(kTypes.begin(), kTypes.end(),
                       [&](const auto& t) { return type == t.name; });
      if (known == kTypes.end())
        fail(fmt::format("{}: unknown dtype {}", name, type));
      entry.type = known->type;
      for (const auto& size : json.at("shape")) {
        if (!size.is_number_unsigned())
          fail(name + ": shape must hold whole numbers");
        entry.shape.push_back(size.get<int64_t>());
      }
      const auto& offsets = json.at("data_offsets");
      if (!offsets.is_array() || offsets.size() != 2 ||
          !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
        fail(name + ": data_offsets must be two whole numbers");
      entry.begin = offsets[0].get<uint64_t>();
      entry.end = offsets[1].get<uint64_t>();
    } catch (const nlohmann::json::exception&) {
      fail(name + ": expected dtype, shape and data_offsets");
    }
    const auto bytes = checked_bytes(entry);
    if (!bytes || entry.end < entry.begin || entry.end - entry.begin != *bytes)
      fail(fmt::format("{}: data_offsets do not match the shape {}", name,
                       shape_text(entry.shape)));
    return entry;
  }

  void check_tiling(uint64_t buffer_bytes) {
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) {
                return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
              });
    uint64_t at = 0;
    for (const auto& entry : entries_) {
      if (entry.begin != at)
        fail(fmt::format("{}: starts at byte {}, expected {}", entry.name,
                         entry.begin, at));
      at = entry.end;
    }
    if (at != buffer_bytes)
      fail(fmt::format(
          "the header describes {} bytes of tensors, the file has {}", at,
          buffer_bytes));
  }

  std::string where_;
  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

const char* type_name(at::ScalarType type) {
  for (const auto& known : kTypes)
    if (known.type == type) return known.name;
  throw ShapeError(
      fmt::format("safetensors: cannot hold {}", c10::toString(type)));
}

}  // namespace

namespace {

/// Copies `size` bytes from `offset` on to `to`.
using ReadAt = std::function<void(uint64_t offset, void* to, uint64_t size)>;

/// Each tensor is read straight into its memory.
TensorFile read_tensors(const ReadAt& read, uint64_t size_bytes,
                        const std::string& where) {
  uint64_t header_bytes = 0;
  if (size_bytes < sizeof header_bytes)
    throw DataError(where + ": too short to be a safetensors file");
  read(0, &header_bytes, sizeof header_bytes);  // little-endian
  if (header_bytes > kMaxHeaderBytes ||
      header_bytes > size_bytes - sizeof header_bytes)
    throw DataError(
        fmt::format("{}: not a safetensors file, or truncated: its header "
                    "claims {} bytes of {}",
                    where, header_bytes, size_bytes));
  std::string header(header_bytes, '\0');
  read(sizeof header_bytes, header.data(), header_bytes);
  const uint64_t begin = sizeof header_bytes + header_bytes;
  const HeaderReader reader(header, size_bytes - begin, where);

  TensorFile file{.tensors = {}, .metadata = reader.metadata()};
  for (const auto& entry : reader.entries()) {
    auto tensor = at::empty(entry.shape, entry.type);
    if (entry.end > entry.begin)
      read(begin + entry.begin, tensor.data_ptr(), entry.end - entry.begin);
    file.tensors.emplace(entry.name, std::move(tensor));
  }
  return file;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  std::error_code ignored;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, ignored))
    file.open(path, std::ios::binary | std::ios::ate);
  // What has no size, and the message where there is nothing to open.
  if (!file.is_open()) return parse_safetensors(read_file(path), path.string());
  const auto size_bytes = uint64_t(file.tellg());
  return read_tensors(
      [&](uint64_t offset, void* to, uint64_t size) {
        file.seekg(std::streamoff(offset));
        if (!file.read(static_cast<char*>(to), std::streamsize(size)))
          throw DataError(path.string() + ": reading broke off");
      },
      size_bytes, path.string());
}

TensorFile parse_safetensors(std::span<const uint8_t> bytes,
                             const std::string& where) {
  return read_tensors(
      [&](uint64_t offset, void* to, uint64_t size) {
        if (size > 0) std::memcpy(to, bytes.data() + offset, size);
      },
      bytes.size(), where);
}

void write_safetensors(const std::filesystem::path& path,
                       const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  uint64_t at = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const uint64_t end = at + tensor.nbytes();
    header[name] = {{"dtype", type_name(tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {at, end}}};
    at = end;
  }
  auto text = json_text(header);
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const uint64_t header_bytes = text.size();

  write_parts_atomic(path, [&](const PartSink& sink) {
    const auto put = [&](const void* data, size_t size) {
      sink({static_cast<const uint8_t*>(data), size});
    };
    put(&header_bytes, sizeof header_bytes);
    put(text.data(), text.size());
    for (const auto& [name, tensor] : file.tensors) {
      const auto values = tensor.detach().to(at::kCPU).contiguous();
      put(values.data_ptr(), values.nbytes());
    }
  });
}

}  // namespace calotype
