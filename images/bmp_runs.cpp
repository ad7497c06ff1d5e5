#include "images/bmp_runs.h"

namespace calotype {
namespace {

class RunReader {
 public:
  RunReader(Bytes data, uint32_t bits, int64_t width, int64_t height,
            const std::string& where)
      : data_(data),
        bits_(bits),
        width_(width),
        height_(height),
        stride_((width * bits + 31) / 32 * 4),
        where_(where),
        rows_(size_t(stride_ * height)) {}

  std::vector<uint8_t> read() {
    while (true) {
      const uint8_t count = next();
      const uint8_t value = next();
      if (count > 0) {
        for (int i = 0; i < count; ++i) put(half_of(value, i));
      } else if (value == kJump) {
        x_ += next();
        y_ += next();
      } else if (value > kJump) {
        copy(value);
      } else {
        if (value == kEnd || ++y_ == height_) return std::move(rows_);
        x_ = 0;
      }
    }
  }

 private:
  enum { kEndOfRow, kEnd, kJump };  // what a value means behind a count of 0

  uint8_t next() {
    if (at_ >= data_.size()) fail_truncated(where_, "BMP", "in its runs");
    return data_[at_++];
  }

  /// The pixels of RLE4 come two in a byte, the left one in the upper bits.
  uint8_t half_of(uint8_t value, int i) const {
    if (bits_ == 8) return value;
    return i % 2 == 0 ? value >> 4 : value & 15;
  }

  /// `count` pixels as they are, and a byte more where they would be odd.
  void copy(int count) {
    const int num_bytes = bits_ == 8 ? count : (count + 1) / 2;
    uint8_t value = 0;
    for (int i = 0; i < count; ++i) {
      if (bits_ == 8 || i % 2 == 0) value = next();
      put(half_of(value, i));
    }
    if (num_bytes % 2 == 1) next();
  }

  void put(uint8_t color) {
    // Writers pad rows; what lies beyond them shows nowhere.
    if (x_ < width_) {
      if (y_ >= height_)
        fail_damaged(where_, "BMP", "its runs leave the picture");
      auto& byte = rows_[size_t(y_ * stride_ + x_ * bits_ / 8)];
      byte |= bits_ == 8 || x_ % 2 == 1 ? color : uint8_t(color << 4);
    }
    ++x_;
  }

  Bytes data_;
  size_t at_ = 0;
  const int64_t bits_, width_, height_, stride_;
  const std::string& where_;
  std::vector<uint8_t> rows_;
  int64_t x_ = 0, y_ = 0;
};

}  // namespace

std::vector<uint8_t> expand_bmp_runs(Bytes data, uint32_t bits, int64_t width,
                                     int64_t height, const std::string& where) {
  return RunReader(data, bits, width, height, where).read();
}

}  // namespace calotype
