#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace calotype {

/// What the files of a set hash to; each is read when it is first asked for,
/// and once. May be used from several threads at once.
class FileContents {
 public:
  /// `files`: below `folder`; none is read that is larger than `max_bytes`.
  FileContents(std::filesystem::path folder, std::vector<std::string> files,
               uint64_t max_bytes);

  /// XXH3 of the bytes of each of the files `which`, as SourceImage::hash; 0 of
  /// one that cannot be read. Reads on several threads; large sets are
  /// remembered from call to call of the program (see HashMemory). Throws
  /// Interrupted if a signal asks to stop.
  std::vector<uint64_t> hashes(const std::vector<int64_t>& which) const;

 private:
  void read(const std::vector<int64_t>& which) const;
  std::optional<uint64_t> hash_of(int64_t file) const;

  std::filesystem::path folder_;
  std::vector<std::string> files_;
  uint64_t max_bytes_;
  mutable std::mutex mutex_;
  mutable std::vector<std::optional<uint64_t>> known_;  // of each file
};

}  // namespace calotype
