#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "datasets/tar_reader.h"

namespace calotype {

/// A file of images in one, whose members are read in any order. May be read
/// from several threads.
class Archive {
 public:
  virtual ~Archive() = default;

  /// All regular files, in the order of the archive; `offset` is what read()
  /// wants.
  virtual std::vector<TarMember> list() const = 0;

  /// The content of a member, in the archive itself or in `buffer`. Throws
  /// DataError if it is damaged, or comes to more than `max_bytes`.
  virtual std::span<const uint8_t> read(const TarMember& member,
                                        uint64_t max_bytes,
                                        std::vector<uint8_t>& buffer) const = 0;

  /// The same, unchecked where checking takes more than the first bytes.
  virtual std::span<const uint8_t> peek(const TarMember& member,
                                        uint64_t max_bytes,
                                        std::vector<uint8_t>& buffer) const {
    return read(member, max_bytes, buffer);
  }
};

/// A plain tar. Throws as MappedFile.
std::unique_ptr<Archive> open_tar(const std::filesystem::path& path);

/// A zip, whose members are stored or deflated. Throws as MappedFile and
/// ZipArchive.
std::unique_ptr<Archive> open_zip(const std::filesystem::path& path);

}  // namespace calotype
