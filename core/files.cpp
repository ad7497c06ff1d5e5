#include "core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <system_error>

#include "core/error.h"
#include "core/file_parts.h"
#include "core/hash.h"
#include "core/stop_signal.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 1 << 20;
constexpr uint64_t kMaxStreamBytes = 256 << 20;  // of what has no size: pipes
constexpr int kMaxWriters = 1000;                // of one path at a time
constexpr std::string_view kTemporaryPrefix = ".calotype-";
constexpr std::string_view kTemporarySuffix = ".tmp";

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

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

/// A file to be read from its beginning.
class Input {
 public:
  explicit Input(const fs::path& path) : path_(path), file_(path, O_RDONLY) {
    struct stat status {};
    if (!file_.is_open() && errno == EINTR) throw_if_stopped();  // of a pipe
    if (!file_.is_open() || ::fstat(file_.get(), &status) != 0)
      fail(path, "cannot open", errno);
    if (S_ISDIR(status.st_mode)) fail(path, "cannot read", EISDIR);
    if (S_ISREG(status.st_mode)) size_bytes_ = uint64_t(status.st_size);
    is_regular_ = S_ISREG(status.st_mode);
  }

  bool is_regular() const { return is_regular_; }
  uint64_t size_bytes() const { return size_bytes_; }  // 0 of a pipe

  /// As many bytes as fit, or what there is; 0 at the end.
  size_t read(void* to, size_t size) {
    size_t done = 0;
    while (done < size) {
      const auto got =
          ::read(file_.get(), static_cast<char*>(to) + done, size - done);
      if (got < 0 && errno == EINTR) {
        throw_if_stopped();  // a pipe may keep silent for ever
        continue;
      }
      if (got < 0)
        throw DataError(fmt::format("{}: reading broke off: {}", path_.string(),
                                    std::strerror(errno)));
      if (got == 0) break;
      done += size_t(got);
    }
    return done;
  }

 private:
  const fs::path& path_;
  Descriptor file_;
  bool is_regular_ = false;
  uint64_t size_bytes_ = 0;
};

/// A file of another name in the folder of `path`, empty and open for writing.
/// The name is short, since that of `path` may have 255 bytes, and made from
/// it, so that what a killed process left is taken over instead of piling up. A
/// lock tells what is left over from what another process is writing.
class Temporary {
 public:
  explicit Temporary(const fs::path& path) {
    for (int writer = 0; writer < kMaxWriters; ++writer) {
      name_ =
          folder_of(path) / fmt::format("{}{}-{}{}", kTemporaryPrefix,
                                        hex64(xxh64(path.filename().string())),
                                        writer, kTemporarySuffix);
      // A link of that name would lead elsewhere.
      file_ =
          std::make_unique<Descriptor>(name_, O_WRONLY | O_CREAT | O_NOFOLLOW);
      if (!file_->is_open()) {
        const int error = errno;
        struct stat status {};
        const bool is_anothers = (error == EACCES || error == ELOOP) &&
                                 ::lstat(name_.c_str(), &status) == 0;
        if (is_anothers) continue;
        fail(path, "cannot write", error);
      }
      if (is_ours()) {
        if (::ftruncate(file_->get(), 0) != 0)
          fail(path, "cannot write", errno);
        return;
      }
    }
    fail(path, "cannot write", EBUSY);
  }

  const fs::path& name() const { return name_; }
  int descriptor() const { return file_->get(); }

 private:
  /// False where another writer has it, or has renamed it since it was opened.
  bool is_ours() const {
    if (::flock(file_->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      return false;
    struct stat opened {
    }, named{};
    return ::fstat(file_->get(), &opened) == 0 &&
           ::lstat(name_.c_str(), &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  }

  fs::path name_;
  std::unique_ptr<Descriptor> file_;
};

/// As root, a rename would put a file in the place of /dev/null.
void expect_replaceable(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
      !S_ISDIR(status.st_mode))
    throw ConfigError(fmt::format(
        "{}: cannot write: expected the name of a file, got a device or a pipe",
        path.string()));
}

}  // namespace

void sync_folder(const fs::path& folder) {
  const Descriptor file(folder, O_RDONLY | O_DIRECTORY);
  if (file.is_open()) ::fsync(file.get());
}

std::vector<uint8_t> read_file(const fs::path& path, uint64_t max_bytes) {
  Input input(path);
  if (!input.is_regular()) max_bytes = std::min(max_bytes, kMaxStreamBytes);
  const auto too_large = [&] {
    return DataError(fmt::format("{}: larger than the limit of {} bytes",
                                 path.string(), max_bytes));
  };
  if (input.size_bytes() > max_bytes) throw too_large();
  std::vector<uint8_t> bytes;
  bytes.reserve(input.size_bytes());
  uint8_t buffer[1 << 16];
  while (const auto got = input.read(buffer, sizeof buffer)) {
    bytes.insert(bytes.end(), buffer, buffer + got);
    if (bytes.size() > max_bytes) throw too_large();
  }
  return bytes;
}

void visit_file(const fs::path& path,
                const std::function<void(std::span<const uint8_t>)>& visit) {
  Input input(path);
  std::vector<uint8_t> block(kBlockBytes);
  while (const auto got = input.read(block.data(), block.size()))
    visit(std::span(block.data(), got));
}

std::vector<uint8_t> read_file_head(const fs::path& path, size_t num_bytes) {
  Input input(path);
  std::vector<uint8_t> bytes(num_bytes);
  bytes.resize(input.read(bytes.data(), num_bytes));
  return bytes;
}

std::string read_text_file(const fs::path& path) {
  const auto bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

namespace {

void write_atomic(const fs::path& path, Durability durability,
                  const std::function<void(const PartSink&)>& give_parts) {
  expect_replaceable(path);
  const bool synced = durability == Durability::kSynced;
  const Temporary temporary(path);
  const auto expect = [&](bool done, const char* what) {
    if (!done) fail(path, what, errno);
  };
  try {
    give_parts([&](std::span<const uint8_t> bytes) {
      expect(write_all(temporary.descriptor(), bytes.data(), bytes.size()),
             "cannot write");
    });
    expect(!synced || ::fsync(temporary.descriptor()) == 0, "cannot sync");
    expect(::rename(temporary.name().c_str(), path.c_str()) == 0,
           "cannot rename");
  } catch (...) {
    ::unlink(temporary.name().c_str());
    throw;
  }
  if (synced) sync_folder(folder_of(path));
}

}  // namespace

void write_file_atomic(const fs::path& path, std::span<const uint8_t> bytes,
                       Durability durability) {
  write_atomic(path, durability, [&](const PartSink& sink) { sink(bytes); });
}

void write_file_atomic(const fs::path& path, std::string_view text,
                       Durability durability) {
  const auto* data = reinterpret_cast<const uint8_t*>(text.data());
  write_file_atomic(path, std::span(data, text.size()), durability);
}

std::string unique_token() {
  std::random_device device;
  return hex64((uint64_t(device()) << 32) ^ device());
}

bool write_file_once(const fs::path& path, std::string_view text) {
  const auto temporary =
      folder_of(path) /
      fmt::format("{}{}{}", kTemporaryPrefix, unique_token(), kTemporarySuffix);
  write_file_atomic(temporary, text);
  const int error = ::link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
  ::unlink(temporary.c_str());
  if (error != 0 && error != EEXIST) fail(path, "cannot link", error);
  sync_folder(folder_of(path));
  return error == 0;
}

bool is_temporary_name(std::string_view name) {
  return name.starts_with(kTemporaryPrefix) && name.ends_with(kTemporarySuffix);
}

void write_parts_atomic(
    const fs::path& path,
    const std::function<void(const PartSink&)>& give_parts) {
  write_atomic(path, Durability::kSynced, give_parts);
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
  if (end == 0) sync_folder(folder_of(path));
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
  const int error = errno;
  ::close(descriptor_);
  if (error != EWOULDBLOCK) fail(path, "cannot lock", error);
  throw FolderInUse(
      fmt::format("{}: another process is writing here", folder.string()));
}

FolderLock::~FolderLock() {
  ::close(descriptor_);
}

}  // namespace calotype
