#include "datasets/exif.h"

#include <algorithm>
#include <utility>

namespace calotype {
namespace {

/// Whole numbers of a TIFF file; beyond its end everything is zero.
class TiffNumbers {
 public:
  explicit TiffNumbers(std::span<const uint8_t> bytes)
      : bytes_(bytes), big_endian_(at(0) == 'M') {}

  uint32_t u16(uint64_t offset) const {
    const uint32_t a = at(offset), b = at(offset + 1);
    return big_endian_ ? a << 8 | b : b << 8 | a;
  }
  uint32_t u32(uint64_t offset) const {
    const uint32_t a = u16(offset), b = u16(offset + 2);
    return big_endian_ ? a << 16 | b : b << 16 | a;
  }
  uint8_t at(uint64_t offset) const {
    return offset < bytes_.size() ? bytes_[offset] : 0;
  }

 private:
  std::span<const uint8_t> bytes_;
  bool big_endian_;
};

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  const TiffNumbers numbers(tiff);
  const bool has_mark = (numbers.at(0) == 'I' && numbers.at(1) == 'I') ||
                        (numbers.at(0) == 'M' && numbers.at(1) == 'M');
  if (!has_mark || numbers.u16(2) != 42) return 1;
  const uint64_t directory = numbers.u32(4);
  const uint32_t count = numbers.u16(directory);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t entry = directory + 2 + 12 * uint64_t(i);
    if (entry + 12 > tiff.size()) break;
    if (numbers.u16(entry) != 0x0112) continue;
    const uint32_t value = numbers.u16(entry + 8);
    return value >= 1 && value <= 8 ? int(value) : 1;
  }
  return 1;
}

Image apply_orientation(Image stored, int orientation) {
  if (orientation <= 1) return stored;
  // Orientation n says where row 0 and column 0 of the stored image lie: at 2
  // and 3 columns run right to left, at 3 and 4 rows run bottom to top, from 5
  // on the two change places.
  const bool swapped = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 ||
                          orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 ||
                           orientation == 6 || orientation == 7;
  Image seen{stored.height, stored.width, stored.channels, {}};
  if (swapped) std::swap(seen.height, seen.width);
  seen.pixels.resize(stored.pixels.size());
  auto* out = seen.pixels.data();
  for (int64_t y = 0; y < seen.height; ++y)
    for (int64_t x = 0; x < seen.width; ++x) {
      int64_t row = swapped ? x : y, column = swapped ? y : x;
      if (from_bottom) row = stored.height - 1 - row;
      if (from_right) column = stored.width - 1 - column;
      const auto* in = stored.pixels.data() +
                       (row * stored.width + column) * stored.channels;
      out = std::copy_n(in, stored.channels, out);
    }
  return seen;
}

}  // namespace calotype
