#include "datasets/idx_file.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "images/inflate.h"

namespace calotype {
namespace {

constexpr uint64_t kMaxIdxBytes = uint64_t(4) << 30;
constexpr uint8_t kUnsignedByte = 0x08;

bool is_gzip(std::span<const uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/// Takes the bytes of an IDX file piece by piece and never holds more of them
/// than the header announces.
class IdxParser {
 public:
  explicit IdxParser(std::string where) : where_(std::move(where)) {}

  void feed(std::span<const uint8_t> bytes) {
    while (!bytes.empty() && !has_header_) {
      header_.push_back(bytes[0]);
      bytes = bytes.subspan(1);
      read_header();
    }
    auto& values = array_.values;
    if (bytes.size() > size_ - values.size())
      throw DataError(fmt::format(
          "{}: IDX file holds more than the {} values of its header", where_,
          size_));
    values.insert(values.end(), bytes.begin(), bytes.end());
  }

  IdxArray finish() {
    if (!has_header_)
      throw DataError(where_ + ": truncated IDX file (the header breaks off)");
    if (array_.values.size() < size_)
      throw DataError(fmt::format("{}: truncated IDX file ({} of {} values)",
                                  where_, array_.values.size(), size_));
    return std::move(array_);
  }

 private:
  /// Acts when header_ is complete: two zeros, the type, the number of
  /// dimensions, and the dimensions in 32 bits each.
  void read_header() {
    if (header_.size() < 4) return;
    if (header_[0] != 0 || header_[1] != 0 || header_[3] < 1 || header_[3] > 4)
      throw DataError(where_ + ": not an IDX file");
    if (header_[2] != kUnsignedByte)
      throw DataError(
          fmt::format("{}: IDX file of type 0x{:02x}; expected unsigned bytes",
                      where_, header_[2]));
    const size_t num_dimensions = header_[3];
    if (header_.size() < 4 + 4 * num_dimensions) return;
    size_ = 1;
    for (size_t d = 0; d < num_dimensions; ++d) {
      const uint8_t* at = &header_[4 + 4 * d];
      const uint64_t length =
          uint64_t(at[0]) << 24 | at[1] << 16 | at[2] << 8 | at[3];
      array_.shape.push_back(int64_t(length));
      if (length != 0 && size_ > kMaxIdxBytes / length)
        throw DataError(where_ + ": IDX file above the limit of 4 GiB");
      size_ *= length;
    }
    has_header_ = true;
  }

  std::string where_;
  std::vector<uint8_t> header_;
  bool has_header_ = false;
  uint64_t size_ = 0;
  IdxArray array_;
};

}  // namespace

IdxArray read_idx(const std::filesystem::path& path) {
  const auto file = read_file(path, kMaxIdxBytes);
  IdxParser parser(path.string());
  if (is_gzip(file)) {
    Inflater inflater(
        Wrapping::kGzip, path.string(),
        [&](std::span<const uint8_t> part) { parser.feed(part); });
    inflater.feed(file);
    inflater.finish();
  } else {
    parser.feed(file);
  }
  return parser.finish();
}

bool looks_like_idx(std::span<const uint8_t> bytes) {
  if (is_gzip(bytes)) return true;
  return bytes.size() >= 8 && bytes[0] == 0 && bytes[1] == 0 &&
         bytes[2] >= kUnsignedByte && bytes[2] <= 0x0e && bytes[3] >= 1 &&
         bytes[3] <= 4;
}

}  // namespace calotype
