#include "datasets/file_contents.h"

#include <sys/stat.h>

#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/hash.h"
#include "datasets/for_each_file.h"
#include "datasets/hash_memory.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargeSet = 256,
                  kLargeBytes = int64_t{1} << 25;  // to remember

/// A file as it was before it was read.
struct Seen {
  struct stat status {};
  bool exists = false;
};

std::vector<Seen> look_at(const fs::path& folder,
                          const std::vector<std::string>& files,
                          const std::vector<int64_t>& which) {
  std::vector<Seen> seen(which.size());
  for (size_t i = 0; i < which.size(); ++i)
    seen[i].exists = ::stat((folder / files[size_t(which[i])]).c_str(),
                            &seen[i].status) == 0;
  return seen;
}

bool is_large(const std::vector<Seen>& files) {
  int64_t bytes = 0;
  for (const auto& file : files) bytes += int64_t(file.status.st_size);
  return int64_t(files.size()) >= kLargeSet || bytes >= kLargeBytes;
}

}  // namespace

FileContents::FileContents(fs::path folder, std::vector<std::string> files,
                           uint64_t max_bytes)
    : folder_(std::move(folder)),
      files_(std::move(files)),
      max_bytes_(max_bytes),
      known_(files_.size()) {}

std::vector<uint64_t> FileContents::hashes(
    const std::vector<int64_t>& which) const {
  const std::lock_guard lock(mutex_);
  std::vector<int64_t> missing;
  for (const auto file : which)
    if (!known_[size_t(file)]) missing.push_back(file);
  if (!missing.empty()) read(missing);
  std::vector<uint64_t> hashes;
  for (const auto file : which)
    hashes.push_back(known_[size_t(file)].value_or(0));
  return hashes;
}

void FileContents::read(const std::vector<int64_t>& which) const {
  const auto seen = look_at(folder_, files_, which);
  std::optional<HashMemory> memory;
  if (is_large(seen)) memory.emplace(folder_);
  std::vector<size_t> unknown;  // places in `which`
  for (size_t i = 0; i < which.size(); ++i) {
    const auto file = size_t(which[i]);
    if (memory && seen[i].exists)
      known_[file] = memory->find(files_[file], seen[i].status);
    if (!known_[file]) unknown.push_back(i);
  }
  for_each_file(int64_t(unknown.size()), [&](int64_t i) {
    const auto file = which[unknown[size_t(i)]];
    known_[size_t(file)] = hash_of(file);
  });
  if (!memory) return;
  for (const auto i : unknown)
    if (const auto file = size_t(which[i]); known_[file])
      memory->remember(files_[file], seen[i].status, *known_[file]);
  memory->save(int64_t(files_.size()));
}

std::optional<uint64_t> FileContents::hash_of(int64_t file) const {
  const auto path = folder_ / files_[size_t(file)];
  std::error_code missing;
  const auto size_bytes = fs::file_size(path, missing);
  if (missing || size_bytes > max_bytes_) return {};
  try {
    return xxh64_of_file(path);
  } catch (const ConfigError&) {  // told when the image's turn comes
  } catch (const DataError&) {
  }
  return {};
}

}  // namespace calotype
