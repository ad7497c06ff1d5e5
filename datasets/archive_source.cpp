#include "datasets/archive_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/printable.h"
#include "core/stop_signal.h"
#include "datasets/archive.h"
#include "datasets/archive_index.h"
#include "datasets/for_each_file.h"
#include "datasets/hash_memory.h"
#include "datasets/tar_stream_source.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

ArchiveIndex index_of(const Archive& archive, const std::string& where,
                      uint64_t max_bytes) {
  IndexBuilder builder(where);
  std::vector<uint8_t> buffer;
  for (const auto& member : archive.list()) {
    throw_if_stopped();
    builder.add(member, [&](bool is_label) -> std::span<const uint8_t> {
      if (is_label) return archive.read(member, kMaxLabelBytes, buffer);
      try {
        return archive.peek(member, max_bytes, buffer);
      } catch (const DataError&) {  // told when its turn comes
        return {};
      }
    });
  }
  return builder.finish(/*sorts=*/true);
}

class ArchiveSource : public ImageSource {
 public:
  ArchiveSource(fs::path path, std::unique_ptr<Archive> archive,
                ArchiveIndex index, std::string spec, const ImageLimits& limits)
      : path_(std::move(path)),
        archive_(std::move(archive)),
        index_(std::move(index)),
        spec_(std::move(spec)),
        limits_(limits) {}

  int64_t size() const override { return int64_t(index_.images.size()); }

  SourceImage load(int64_t index) const override {
    const auto& member = at(index);
    std::vector<uint8_t> buffer;
    const auto bytes = archive_->read(member, limits_.max_file_bytes(), buffer);
    return decode_member(bytes, path_, member.name, limits_);
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
  std::vector<std::string> ignored_files() const override {
    return index_.others;
  }

  std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const override {
    const std::lock_guard lock(mutex_);
    if (known_.empty()) known_.resize(index_.images.size());
    std::vector<int64_t> unknown;
    std::optional<HashMemory> memory;
    struct stat status {};
    if (::stat(path_.c_str(), &status) == 0) memory.emplace(path_);
    for (const auto index : indices) {
      auto& known = known_[size_t(index)];
      if (!known && memory) known = memory->find(at(index).name, status);
      if (!known) unknown.push_back(index);
    }
    for_each_file(int64_t(unknown.size()), [&](int64_t i) {
      const auto index = unknown[size_t(i)];
      std::vector<uint8_t> buffer;
      try {
        known_[size_t(index)] =
            xxh64(archive_->read(at(index), limits_.max_file_bytes(), buffer));
      } catch (const DataError&) {  // told when its turn comes
      }
    });
    if (memory) {
      for (const auto index : unknown)
        if (known_[size_t(index)])
          memory->remember(at(index).name, status, *known_[size_t(index)]);
      memory->save(size());
    }
    std::vector<uint64_t> hashes;
    for (const auto index : indices)
      hashes.push_back(known_[size_t(index)].value_or(0));
    return hashes;
  }

 private:
  const TarMember& at(int64_t index) const {
    return index_.images[size_t(index)];
  }

  fs::path path_;
  std::unique_ptr<Archive> archive_;
  ArchiveIndex index_;
  std::string spec_;
  ImageLimits limits_;
  mutable std::mutex mutex_;
  mutable std::vector<std::optional<uint64_t>> known_;  // hashes
};

}  // namespace

SourceImage decode_member(std::span<const uint8_t> bytes,
                          const fs::path& archive, const std::string& name,
                          const ImageLimits& limits) {
  auto picture =
      decode_picture(bytes, printable((archive / name).string()), limits);
  return {.image = std::move(picture.image),
          .hash = xxh64(bytes),
          .file_bytes = int64_t(bytes.size()),
          .notes = std::move(picture.notes)};
}

std::unique_ptr<ImageSource> open_archive(const fs::path& path,
                                          ArchiveKind kind,
                                          const std::string& spec,
                                          const ImageLimits& limits) {
  const auto where = printable(path.string());
  if (kind == ArchiveKind::kCompressedTar)
    return open_tar_stream(path, spec, limits);
  auto archive = kind == ArchiveKind::kZip ? open_zip(path) : open_tar(path);
  auto index = remembered_index(
      path, kind == ArchiveKind::kZip ? "zip" : "tar",
      [&] { return index_of(*archive, where, limits.max_file_bytes()); });
  for (const auto& text : index.notes) note(text);
  if (index.images.empty())
    throw ConfigError(where + ": no images found in the archive");
  return std::make_unique<ArchiveSource>(path, std::move(archive),
                                         std::move(index), spec, limits);
}

}  // namespace calotype
