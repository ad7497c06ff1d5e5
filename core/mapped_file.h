#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace calotype {

/// A whole file as read-only memory: pages are read when they are touched, and
/// are shared by all processes that map it. The file must not shrink meanwhile.
class MappedFile {
 public:
  /// Throws ConfigError if the file cannot be opened, DataError if it is not a
  /// regular file or cannot be mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace calotype
