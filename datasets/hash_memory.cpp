#include "datasets/hash_memory.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/cache_folder.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "datasets/file_version.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHashesMagic = "calotype hashes 1\n";
constexpr uint64_t kMaxMemoryBytes = 256 << 20;  // of all folders

struct Entry {
  uint64_t key, hash;
};

uint64_t key_of(const fs::path& file, const struct stat& status) {
  auto text = file.native();
  text.append(1, '\0').append(version_of(status));
  return xxh64(text);
}

/// Magic, entries, and the hash of both.
std::vector<Entry> read_entries(const fs::path& file) {
  std::error_code missing;
  if (file.empty() || !fs::is_regular_file(file, missing)) return {};
  const auto bytes = read_file(file, kMaxMemoryBytes);
  const auto around = kHashesMagic.size() + sizeof(uint64_t);
  if (bytes.size() < around || (bytes.size() - around) % sizeof(Entry) != 0 ||
      std::memcmp(bytes.data(), kHashesMagic.data(), kHashesMagic.size()) != 0)
    return {};
  uint64_t hash = 0;
  const auto* end = bytes.data() + bytes.size() - sizeof hash;
  std::memcpy(&hash, end, sizeof hash);
  if (hash != xxh64(std::span(bytes).first(bytes.size() - sizeof hash)))
    return {};
  std::vector<Entry> entries((bytes.size() - around) / sizeof(Entry));
  std::memcpy(entries.data(), bytes.data() + kHashesMagic.size(),
              entries.size() * sizeof(Entry));
  return entries;
}

void write_entries(const fs::path& file, const std::vector<Entry>& entries) {
  std::string bytes(kHashesMagic);
  bytes.append(reinterpret_cast<const char*>(entries.data()),
               entries.size() * sizeof(Entry));
  const auto hash = xxh64(bytes);
  bytes.append(reinterpret_cast<const char*>(&hash), sizeof hash);
  make_folder(file.parent_path());
  write_file_atomic(file, bytes);
}

}  // namespace

HashMemory::HashMemory(const fs::path& folder) {
  const auto cache = cache_folder();
  if (cache.empty()) return;
  try {
    file_ = cache / "hashes" / hex64(xxh64(fs::canonical(folder).native()));
    for (const auto& [key, hash] : read_entries(file_)) old_.emplace(key, hash);
  } catch (const std::runtime_error&) {  // then nothing is remembered
  }
}

std::optional<uint64_t> HashMemory::find(const fs::path& file,
                                         const struct stat& status) const {
  const auto found = old_.find(key_of(file, status));
  if (found == old_.end()) return {};
  used_.insert(*found);
  return found->second;
}

void HashMemory::remember(const fs::path& file, const struct stat& status,
                          uint64_t hash) {
  if (!is_settled(status)) return;
  used_[key_of(file, status)] = hash;
  changed_ = true;
}

void HashMemory::save(int64_t num_files) {
  if (file_.empty() || !changed_) return;
  if (int64_t(old_.size()) <= num_files) used_.insert(old_.begin(), old_.end());
  std::vector<Entry> entries;
  for (const auto& [key, hash] : used_) entries.push_back({key, hash});
  std::ranges::sort(entries, {}, &Entry::key);
  try {
    write_entries(file_, entries);
    keep_newest(file_.parent_path(), kMaxMemoryBytes);
    changed_ = false;
  } catch (const std::runtime_error&) {  // a home that cannot be written to
  }
}

}  // namespace calotype
