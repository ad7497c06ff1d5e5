#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/mapped_file.h"
#include "core/printable.h"
#include "datasets/decompress.h"
#include "images/inflate.h"

namespace calotype {
namespace {

constexpr size_t kPieceBytes = 1 << 14;  // of the file at a time
constexpr uint64_t kMaxRatio = 1000, kFreeBytes = uint64_t{64} << 20;

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(const std::filesystem::path& path)
      : file_(path),
        rest_(file_.bytes()),
        limit_(printable(path.string()), rest_.size()),
        inflater_(Wrapping::kGzip, printable(path.string()),
                  [this](std::span<const uint8_t> part) {
                    limit_.count(part.size());
                    ready_.insert(ready_.end(), part.begin(), part.end());
                  }) {}

  size_t read(std::span<uint8_t> out) override {
    size_t done = 0;
    while (done < out.size() && fill()) {
      const auto count = std::min(out.size() - done, ready_.size() - taken_);
      std::copy_n(ready_.begin() + std::ptrdiff_t(taken_), count,
                  out.begin() + std::ptrdiff_t(done));
      taken_ += count;
      done += count;
    }
    return done;
  }

  uint64_t skip(uint64_t count) override {
    uint64_t done = 0;
    while (done < count && fill()) {
      const auto piece =
          std::min<uint64_t>(count - done, ready_.size() - taken_);
      taken_ += size_t(piece);
      done += piece;
    }
    return done;
  }

 private:
  /// Whether there are bytes to take.
  bool fill() {
    if (taken_ < ready_.size()) return true;
    ready_.clear();
    taken_ = 0;
    while (ready_.empty() && !rest_.empty()) {
      const auto piece = rest_.first(std::min(kPieceBytes, rest_.size()));
      rest_ = rest_.subspan(piece.size());
      inflater_.feed(piece);
    }
    if (ready_.empty()) inflater_.finish();
    return !ready_.empty();
  }

  MappedFile file_;
  std::span<const uint8_t> rest_;  // of it
  RatioLimit limit_;
  std::vector<uint8_t> ready_;
  size_t taken_ = 0;  // of them
  Inflater inflater_;
};

}  // namespace

RatioLimit::RatioLimit(std::string where, uint64_t file_bytes)
    : where_(std::move(where)),
      left_(std::max(kFreeBytes, file_bytes * kMaxRatio)) {}

void RatioLimit::count(uint64_t num_bytes) {
  if (num_bytes > left_)
    throw DataError(fmt::format(
        "{}: comes to more than {} times its size, which no set of images does",
        where_, kMaxRatio));
  left_ -= num_bytes;
}

std::unique_ptr<ByteStream> open_gzip(const std::filesystem::path& path) {
  return std::make_unique<GzipStream>(path);
}

}  // namespace calotype
