#include "core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/error.h"
#include "core/file_parts.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw ConfigError(
      fmt::format("{}: {}: {}", path.string(), what, std::strerror(error)));
}

/// An open file that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags)
      : value_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool is_open() const { return value_ >= 0; }
  int get() const { return value_; }

 private:
  int value_;
};

/// False, with errno set, as soon as a write fails.
bool write_all(int descriptor, const void* data, size_t size) {
  auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const auto written = ::write(descriptor, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    at += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

void sync_folder(const fs::path& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY);
  if (file.is_open()) ::fsync(file.get());
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

std::vector<uint8_t> read_file(const fs::path& path, uint64_t max_bytes) {
  if (fs::is_directory(path)) fail(path, "cannot read", EISDIR);
  const Descriptor file(path, O_RDONLY);
  if (!file.is_open()) fail(path, "cannot open", errno);
  std::vector<uint8_t> bytes;
  std::error_code ignored;
  bytes.reserve(std::min<uint64_t>(fs::file_size(path, ignored), max_bytes));
  uint8_t buffer[1 << 16];
  while (true) {
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "cannot read", errno);
    if (got == 0) return bytes;
    bytes.insert(bytes.end(), buffer, buffer + got);
    if (bytes.size() > max_bytes)
      throw DataError(fmt::format("{}: larger than the limit of {} bytes",
                                  path.string(), max_bytes));
  }
}

std::vector<uint8_t> read_file_head(const fs::path& path, size_t num_bytes) {
  const Descriptor file(path, O_RDONLY);
  if (!file.is_open()) fail(path, "cannot open", errno);
  std::vector<uint8_t> bytes(num_bytes);
  const auto got = ::read(file.get(), bytes.data(), num_bytes);
  if (got < 0) fail(path, "cannot read", errno);
  bytes.resize(size_t(got));
  return bytes;
}

std::string read_text_file(const fs::path& path) {
  const auto bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

void write_file_atomic(const fs::path& path, std::span<const uint8_t> bytes) {
  auto temporary = path;
  temporary += ".tmp";
  const auto give_up = [&](const char* what) {
    const int error = errno;
    ::unlink(temporary.c_str());
    fail(path, what, error);
  };
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.is_open()) fail(path, "cannot write", errno);
    if (!write_all(file.get(), bytes.data(), bytes.size()))
      give_up("cannot write");
    if (::fsync(file.get()) != 0) give_up("cannot sync");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) give_up("cannot rename");
  sync_folder(folder_of(path));
}

void write_file_atomic(const fs::path& path, std::string_view text) {
  const auto* data = reinterpret_cast<const uint8_t*>(text.data());
  write_file_atomic(path, std::span(data, text.size()));
}

void write_parts_atomic(const fs::path& path,
                        const std::function<void(const PartSink&)>& give_parts) {
  auto temporary = path;
  temporary += ".tmp";
  const auto give_up = [&](const char* what) { fail(path, what, errno); };
  try {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.is_open()) give_up("cannot write");
    give_parts([&](std::span<const uint8_t> bytes) {
      if (!write_all(file.get(), bytes.data(), bytes.size()))
        give_up("cannot write");
    });
    if (::fsync(file.get()) != 0) give_up("cannot sync");
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      give_up("cannot rename");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(folder_of(path));
}

void append_line_synced(const fs::path& path, std::string_view line) {
  const Descriptor file(path, O_RDWR | O_CREAT | O_APPEND);
  if (!file.is_open()) fail(path, "cannot write", errno);
  std::string text;
  char last = '\n';
  const auto end = ::lseek(file.get(), 0, SEEK_END);
  if (end > 0 && ::pread(file.get(), &last, 1, end - 1) == 1 && last != '\n')
    text += '\n';
  text.append(line).append("\n");
  if (!write_all(file.get(), text.data(), text.size()))
    fail(path, "cannot write", errno);
  if (::fsync(file.get()) != 0) fail(path, "cannot sync", errno);
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path))
    fail(path, "cannot make the folder", error ? error.value() : ENOTDIR);
}

FolderLock::FolderLock(const fs::path& folder) {
  const auto path = folder / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path, "cannot write", errno);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  throw ConfigError(
      fmt::format("{}: another process is writing here", folder.string()));
}

FolderLock::~FolderLock() {
  ::close(descriptor_);
}

}  // namespace calotype
