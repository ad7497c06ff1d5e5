#include "datasets/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "core/error.h"
#include "core/printable.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReadBytes = 1 << 18;

class Decompressed : public ByteStream {
 public:
  explicit Decompressed(const fs::path& path)
      : where_(printable(path.string())),
        archive_(archive_read_new(), &archive_read_free) {
    auto* archive = archive_.get();
    if (!archive) throw std::bad_alloc();
    // One by one: "all" among them would start programs.
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_lzma(archive);
    archive_read_support_filter_lzip(archive);
    archive_read_support_filter_zstd(archive);
    archive_read_support_filter_lz4(archive);
    archive_read_support_format_raw(archive);
    archive_read_support_format_empty(archive);
    std::error_code missing;
    if (!fs::is_regular_file(path, missing))
      throw ConfigError(where_ + ": no such file");
    limit_.emplace(where_, uint64_t(fs::file_size(path)));
    if (archive_read_open_filename(archive, path.c_str(), kReadBytes) !=
        ARCHIVE_OK)
      fail();
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive, &entry);
    is_at_end_ = status == ARCHIVE_EOF;
    if (status != ARCHIVE_OK && !is_at_end_) fail();
  }

  size_t read(std::span<uint8_t> out) override {
    size_t done = 0;
    while (done < out.size() && !is_at_end_) {
      const auto count = archive_read_data(archive_.get(), out.data() + done,
                                           out.size() - done);
      if (count < 0) fail();
      is_at_end_ = count == 0;
      done += size_t(count);
      limit_->count(uint64_t(count));
    }
    return done;
  }

  uint64_t skip(uint64_t count) override {
    uint64_t done = 0;
    while (done < count) {
      const auto piece = std::min<uint64_t>(count - done, skipped_.size());
      const auto got = read(std::span(skipped_).first(size_t(piece)));
      done += got;
      if (got < piece) break;
    }
    return done;
  }

 private:
  [[noreturn]] void fail() const {
    const char* reason = archive_error_string(archive_.get());
    throw DataError(fmt::format("{}: damaged compressed data ({})", where_,
                                reason ? printable(reason) : "unknown"));
  }

  std::string where_;
  std::unique_ptr<archive, int (*)(archive*)> archive_;
  std::array<uint8_t, 1 << 16> skipped_;
  std::optional<RatioLimit> limit_;
  bool is_at_end_ = false;
};

}  // namespace

std::unique_ptr<ByteStream> open_by_library(const fs::path& path) {
  return std::make_unique<Decompressed>(path);
}

}  // namespace calotype
