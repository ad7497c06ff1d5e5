#include "datasets/tar_stream_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/printable.h"
#include "core/stop_signal.h"
#include "datasets/archive_index.h"
#include "datasets/decompress.h"
#include "datasets/hash_memory.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// Of images that were passed over and may be asked for yet.
constexpr uint64_t kMaxAheadBytes = 256 << 20;

ArchiveIndex index_of_stream(const fs::path& path, uint64_t max_bytes) {
  const auto where = printable(path.string());
  const auto stream = open_decompressed(path);
  TarReader reader(*stream, where);
  IndexBuilder builder(where);
  std::vector<uint8_t> content;
  while (const auto member = reader.next()) {
    throw_if_stopped();
    builder.add(*member, [&](bool is_label) -> std::span<const uint8_t> {
      if (member->bytes > (is_label ? kMaxLabelBytes : max_bytes)) return {};
      content = reader.content();
      return content;
    });
  }
  return builder.finish(/*sorts=*/false);
}

/// Gives the contents of images in whatever order they are asked for, and best
/// in that of the archive. Not for several threads at once.
class TarStream {
 public:
  TarStream(const fs::path& path, const ArchiveIndex& index, uint64_t max_bytes)
      : path_(path), index_(index), max_bytes_(max_bytes) {}

  std::vector<uint8_t> content(int64_t image) {
    if (const auto found = ahead_.find(image); found != ahead_.end()) {
      auto bytes = std::move(found->second);
      ahead_.erase(found);
      ahead_bytes_ -= bytes.size();
      return bytes;
    }
    if (image < next_ || !reader_) begin();
    while (next_ < image) pass_over();
    return read_next();
  }

 private:
  void begin() {
    reader_.reset();
    stream_ = open_decompressed(path_);
    reader_.emplace(*stream_, printable(path_.string()));
    ahead_.clear();
    ahead_bytes_ = 0;
    next_ = 0;
  }

  std::vector<uint8_t> read_next() {
    const auto& wanted = index_.images[size_t(next_++)];
    while (const auto member = reader_->next()) {
      if (member->offset != wanted.offset) continue;
      if (member->name != wanted.name) break;
      if (member->bytes > max_bytes_)
        throw DataError(fmt::format("{}: larger than {} bytes",
                                    printable((path_ / wanted.name).string()),
                                    max_bytes_));
      return reader_->content();
    }
    throw DataError(printable(path_.string()) +
                    ": changed since it was listed");
  }

  void pass_over() {
    const auto image = next_;
    const auto size_bytes = index_.images[size_t(image)].bytes;
    if (size_bytes > max_bytes_) {
      ++next_;
      return;
    }
    auto bytes = read_next();
    ahead_bytes_ += bytes.size();
    ahead_.emplace(image, std::move(bytes));
    while (ahead_bytes_ > kMaxAheadBytes) {  // those that nobody came for
      ahead_bytes_ -= ahead_.begin()->second.size();
      ahead_.erase(ahead_.begin());
    }
  }

  fs::path path_;
  const ArchiveIndex& index_;
  uint64_t max_bytes_;
  std::unique_ptr<ByteStream> stream_;
  std::optional<TarReader> reader_;
  int64_t next_ = 0;  // the image that the reader comes to
  std::map<int64_t, std::vector<uint8_t>> ahead_;
  uint64_t ahead_bytes_ = 0;
};

class TarStreamSource : public ImageSource {
 public:
  TarStreamSource(fs::path path, ArchiveIndex index, std::string spec,
                  const ImageLimits& limits)
      : path_(std::move(path)),
        index_(std::move(index)),
        spec_(std::move(spec)),
        limits_(limits),
        stream_(path_, index_, limits.max_file_bytes()) {}

  int64_t size() const override { return int64_t(index_.images.size()); }
  SourceImage load(int64_t index) const override {
    return decode_member(content(index), path_, at(index).name, limits_);
  }
  std::string name(int64_t index) const override {
    return printable(at(index).name);
  }
  int64_t label(int64_t index) const override {
    return index_.classes.labels[size_t(index)];
  }
  std::vector<std::string> class_names() const override {
    return index_.classes.names;
  }
  std::string spec() const override { return spec_; }
  bool is_in_order() const override { return true; }
  std::vector<std::string> ignored_files() const override {
    return index_.others;
  }

  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    struct stat status {};
    std::optional<HashMemory> memory;
    if (::stat(path_.c_str(), &status) == 0) memory.emplace(path_);
    TarStream stream(path_, index_, limits_.max_file_bytes());
    std::vector<uint64_t> hashes;
    for (const auto index : indices) {
      throw_if_stopped();
      const auto& member = at(index);
      auto known = memory ? memory->find(member.name, status) : std::nullopt;
      if (!known && member.bytes <= limits_.max_file_bytes()) {
        known = xxh64(stream.content(index));
        if (memory) memory->remember(member.name, status, *known);
      }
      hashes.push_back(known.value_or(0));
    }
    if (memory) memory->save(size());
    return hashes;
  }

 private:
  const TarMember& at(int64_t index) const {
    return index_.images[size_t(index)];
  }

  std::vector<uint8_t> content(int64_t index) const {
    const std::lock_guard lock(mutex_);
    return stream_.content(index);
  }

  fs::path path_;
  ArchiveIndex index_;
  std::string spec_;
  ImageLimits limits_;
  mutable std::mutex mutex_;
  mutable TarStream stream_;
};

}  // namespace

std::unique_ptr<ImageSource> open_tar_stream(const fs::path& path,
                                             const std::string& spec,
                                             const ImageLimits& limits) {
  auto index = remembered_index(path, "stream", [&] {
    return index_of_stream(path, limits.max_file_bytes());
  });
  for (const auto& text : index.notes) note(text);
  if (index.images.empty())
    throw ConfigError(printable(path.string()) +
                      ": no images found in the archive");
  return std::make_unique<TarStreamSource>(path, std::move(index), spec,
                                           limits);
}

}  // namespace calotype
