#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "core/byte_reader.h"
#include "core/error.h"
#include "core/pickle.h"
#include "core/printable.h"
#include "nn/torch_content.h"
#include "nn/torch_file.h"

namespace calotype {
namespace {

// 0x1950a86a20f9469cfc6c, as an integer of ten bytes.
constexpr std::string_view kMagicNumber =
    "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kProtocolVersion = 1001;

/// What follows the pickles: the keys of storages, in the order in which their
/// bytes come.
class LegacyStorages {
 public:
  LegacyStorages(const PickleGraph& values, const std::string& where)
      : where_(where) {
    for (PickleId id = 0; id < values.size(); ++id) {
      if (values.kind(id) != PickleKind::kPersistent) continue;
      const auto storage = torch_storage(values, id, where);
      if (!storage) continue;
      const auto [known, is_new] =
          places_.try_emplace(std::string(storage->key));
      auto& place = known->second;
      if (!is_new && (place.num_elements != storage->num_elements ||
                      place.element_size != storage->element_size))
        fail(fmt::format("storage {} has two sizes", printable(storage->key)));
      place.num_elements = storage->num_elements;
      place.element_size = storage->element_size;
    }
  }

  /// Each has its number of elements before it, in eight bytes.
  void find(const PickleGraph& keys, ByteReader& reader) {
    if (keys.kind(keys.root()) != PickleKind::kList)
      fail("there is no list of storages");
    for (const auto key : keys.items(keys.root())) {
      if (keys.kind(key) != PickleKind::kText)
        fail("a storage whose key is no text");
      const auto found = places_.find(std::string(keys.text(key)));
      if (found == places_.end() || found->second.is_found)
        fail(fmt::format(
            "storage {} is listed, and {}", printable(keys.text(key)),
            found == places_.end() ? "nothing uses it" : "has been before"));
      auto& place = found->second;
      uint64_t num_elements = 0;
      if (!reader.take_number(8, num_elements) ||
          num_elements != place.num_elements ||
          !reader.take(num_elements * place.element_size, place.bytes))
        fail(fmt::format(
            "storage {} of {} elements is not whole: the file breaks off, or "
            "was damaged",
            printable(keys.text(key)), place.num_elements));
      place.is_found = true;
    }
  }

  std::span<const uint8_t> bytes_of(const TorchStorage& storage) const {
    const auto found = places_.find(std::string(storage.key));
    if (found == places_.end() || !found->second.is_found)
      fail(fmt::format("storage {} is not there", printable(storage.key)));
    return found->second.bytes;
  }

 private:
  struct Place {
    uint64_t num_elements = 0, element_size = 0;
    std::span<const uint8_t> bytes;
    bool is_found = false;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(where_ + ": " + what);
  }

  const std::string& where_;
  std::unordered_map<std::string, Place> places_;
};

/// Reads the next pickle of several.
PickleGraph next_pickle(std::span<const uint8_t> bytes, ByteReader& reader,
                        const std::string& where) {
  auto pickle = read_pickle(bytes.subspan(reader.position()), where);
  std::span<const uint8_t> skipped;
  reader.take(pickle.size_bytes, skipped);
  return std::move(pickle.values);
}

}  // namespace

bool is_torch_legacy(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 &&
         bytes[1] <= 5;
}

CheckpointContent read_torch_legacy(std::span<const uint8_t> bytes,
                                    const std::string& where) {
  ByteReader reader(bytes);
  const auto magic = next_pickle(bytes, reader, where);
  if (magic.kind(magic.root()) != PickleKind::kLong ||
      magic.text(magic.root()) != kMagicNumber)
    throw DataError(where +
                    ": a pickle that torch.save did not write, which is not "
                    "run and holds no tensors");
  const auto version = next_pickle(bytes, reader, where);
  if (version.kind(version.root()) != PickleKind::kInt ||
      version.integer(version.root()) != kProtocolVersion)
    throw DataError(where + ": a legacy checkpoint of an unknown version");
  // The writer's byte order and sizes of types; numbers are little-endian
  // whatever it says.
  next_pickle(bytes, reader, where);
  const auto values = next_pickle(bytes, reader, where);
  LegacyStorages storages(values, where);
  const auto keys = next_pickle(bytes, reader, where);
  storages.find(keys, reader);
  auto file = torch_content(
      values,
      [&](const TorchStorage& storage) { return storages.bytes_of(storage); },
      bytes.size(), where);
  file.format = "legacy pickle";
  return file;
}

}  // namespace calotype
