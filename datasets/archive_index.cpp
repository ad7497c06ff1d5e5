#include "datasets/archive_index.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "core/cache_folder.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "datasets/file_version.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// Another number wherever an index of the same archive would be another.
constexpr std::string_view kIndexMagic = "calotype archive index 1\n";
constexpr uint64_t kMaxKept = uint64_t{1} << 30;  // bytes, of all indices

/// Numbers and texts one after the other; the cache is read where it is
/// written.
class Packer {
 public:
  void number(uint64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    number(value.size());
    bytes_ += value;
  }
  void texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const auto& value : values) text(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_{kIndexMagic};
};

/// Throws DataError where the bytes end.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  uint64_t number() {
    uint64_t value = 0;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(take(number())); }
  /// Of items that take 8 bytes at least.
  uint64_t count() {
    const auto value = number();
    if (value > rest_.size() / sizeof value) throw DataError("index: count");
    return value;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> values(count());
    for (auto& value : values) value = text();
    return values;
  }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) throw DataError("index: too short");
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
};

std::string packed_index(const ArchiveIndex& index, const std::string& facts) {
  Packer packer;
  packer.text(facts);
  packer.number(index.images.size());
  for (size_t i = 0; i < index.images.size(); ++i) {
    packer.text(index.images[i].name);
    packer.number(index.images[i].offset);
    packer.number(index.images[i].bytes);
    packer.number(uint64_t(int64_t(index.classes.labels[i])));
  }
  packer.texts(index.classes.names);
  packer.texts(index.others);
  packer.texts(index.notes);
  auto bytes = packer.take();
  const auto hash = xxh64(bytes);
  return bytes.append(reinterpret_cast<const char*>(&hash), sizeof hash);
}

/// Nothing of an index of another version of the archive, or a damaged one.
std::optional<ArchiveIndex> unpacked(std::string_view bytes,
                                     const std::string& facts) {
  uint64_t hash = 0;
  if (bytes.size() < kIndexMagic.size() + sizeof hash) return {};
  const auto content = bytes.substr(0, bytes.size() - sizeof hash);
  std::memcpy(&hash, content.data() + content.size(), sizeof hash);
  if (!bytes.starts_with(kIndexMagic) || hash != xxh64(content)) return {};
  Unpacker unpacker(content.substr(kIndexMagic.size()));
  if (unpacker.text() != facts) return {};
  ArchiveIndex index;
  index.images.resize(unpacker.count());
  for (auto& image : index.images) {
    image.name = unpacker.text();
    image.offset = unpacker.number();
    image.bytes = unpacker.number();
    index.classes.labels.push_back(int32_t(unpacker.number()));
  }
  index.classes.names = unpacker.texts();
  index.others = unpacker.texts();
  index.notes = unpacker.texts();
  const auto num_classes = int32_t(index.classes.names.size());
  const bool is_sound =
      unpacker.is_at_end() &&
      std::ranges::all_of(index.classes.labels, [&](int32_t label) {
        return label >= -1 && label < num_classes;
      });
  if (!is_sound) return {};
  return index;
}

std::optional<ArchiveIndex> read_index(const fs::path& file,
                                       const std::string& facts) {
  try {
    std::error_code missing;
    if (!fs::is_regular_file(file, missing)) return {};
    return unpacked(read_text_file(file), facts);
  } catch (const std::runtime_error&) {
    return {};
  }
}

void keep_index(const fs::path& file, const ArchiveIndex& index,
                const std::string& facts) {
  try {
    make_folder(file.parent_path());
    write_file_atomic(file, packed_index(index, facts), Durability::kRenamed);
    keep_newest(file.parent_path(), kMaxKept);
  } catch (const std::runtime_error&) {  // a home that cannot be written to
  }
}

}  // namespace

ArchiveIndex remembered_index(const fs::path& archive, const std::string& kind,
                              const std::function<ArchiveIndex()>& build) {
  const auto cache = cache_folder();
  struct stat status {};
  std::error_code error;
  const auto path = fs::canonical(archive, error);
  if (cache.empty() || error || ::stat(archive.c_str(), &status) != 0)
    return build();
  const auto file =
      cache / "archives" / hex64(xxh64(kind + ":" + path.native()));
  // The notes call the archive as the user did.
  const auto facts = version_of(status) + archive.native();
  if (auto index = read_index(file, facts)) return std::move(*index);
  auto index = build();
  if (is_settled(status)) keep_index(file, index, facts);
  return index;
}

}  // namespace calotype
