#include "nn/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "core/config.h"
#include "core/error.h"

namespace calotype {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit

/// Parses the header; every complaint is a DataError that begins with `where`.
class SafetensorsHeaderReader {
 public:
  SafetensorsHeaderReader(std::string_view text, uint64_t buffer_bytes,
                          std::string where)
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

  SafetensorsHeader header() {
    return {.entries = std::move(entries_), .metadata = std::move(metadata_)};
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

  SafetensorsEntry read_entry(const std::string& name,
                              const nlohmann::json& json) const {
    SafetensorsEntry entry;
    entry.name = name;
    try {
      const auto type = json.at("dtype").get<std::string>();
      const auto known = element_type(type);
      if (!known) fail(fmt::format("{}: unknown dtype {}", name, type));
      entry.type = *known;
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
    const auto bytes = checked_bytes(entry.shape, size_bytes(entry.type));
    if (!bytes || entry.end < entry.begin || entry.end - entry.begin != *bytes)
      fail(fmt::format("{}: data_offsets do not match the shape [{}]", name,
                       fmt::join(entry.shape, ", ")));
    return entry;
  }

  void check_tiling(uint64_t buffer_bytes) {
    std::sort(entries_.begin(), entries_.end(),
              [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
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
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace

SafetensorsHeader read_safetensors_header(const SafetensorsBytes& bytes_at,
                                          uint64_t size_bytes,
                                          const std::string& where) {
  uint64_t header_bytes = 0;
  if (size_bytes < sizeof header_bytes)
    throw DataError(where + ": too short to be a safetensors file");
  bytes_at(0, &header_bytes, sizeof header_bytes);  // little-endian
  if (header_bytes > kMaxHeaderBytes ||
      header_bytes > size_bytes - sizeof header_bytes)
    throw DataError(
        fmt::format("{}: not a safetensors file, or truncated: its header "
                    "claims {} bytes of {}",
                    where, header_bytes, size_bytes));
  std::string text(header_bytes, '\0');
  bytes_at(sizeof header_bytes, text.data(), header_bytes);
  const uint64_t begin = sizeof header_bytes + header_bytes;
  auto header =
      SafetensorsHeaderReader(text, size_bytes - begin, where).header();
  header.tensors_begin = begin;
  return header;
}

bool is_safetensors(std::span<const uint8_t> bytes) {
  uint64_t header_bytes = 0;
  if (bytes.size() <= sizeof header_bytes) return false;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  return header_bytes <= kMaxHeaderBytes && bytes[sizeof header_bytes] == '{';
}

}  // namespace calotype
