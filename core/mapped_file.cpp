#include "core/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace calotype {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw ConfigError(fmt::format("{}: cannot open: {}", path.string(),
                                  std::strerror(errno)));
  struct stat status {};
  const char* problem = nullptr;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    problem = "not a regular file";
  } else if (status.st_size > 0) {  // no system maps nothing
    void* at = ::mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_SHARED,
                      descriptor, 0);
    if (at == MAP_FAILED) {
      problem = std::strerror(errno);
    } else {
      data_ = static_cast<const uint8_t*>(at);
      size_ = size_t(status.st_size);
    }
  }
  ::close(descriptor);
  if (problem)
    throw DataError(fmt::format("{}: cannot map: {}", path.string(), problem));
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

}  // namespace calotype
