#include "images/exif.h"

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

constexpr uint32_t kOrientation = 0x0112;

/// Bytes of a number of TIFF 6.0's integer types, signed ones included; 0 for
/// all others. No sign matters here: what is negative is out of range anyhow.
int size_of_integer(uint32_t type) {
  switch (type) {
    case 1:  // BYTE
    case 6:  // SBYTE
      return 1;
    case 3:  // SHORT
    case 8:  // SSHORT
      return 2;
    case 4:  // LONG
    case 9:  // SLONG
      return 4;
  }
  return 0;
}

/// The first number of a directory's entry; 0 if it holds no integers.
uint32_t first_number(const TiffNumbers& numbers, uint64_t entry) {
  const int size = size_of_integer(numbers.u16(entry + 2));
  const uint64_t count = numbers.u32(entry + 4);
  // Up to four bytes stand in the entry itself.
  const uint64_t at =
      size * count <= 4 ? entry + 8 : uint64_t(numbers.u32(entry + 8));
  if (size == 1) return numbers.at(at);
  if (size == 2) return numbers.u16(at);
  if (size == 4) return numbers.u32(at);
  return 0;
}

}  // namespace

std::span<const uint8_t> after_exif_mark(std::span<const uint8_t> block) {
  // The sixth byte should be zero, and is not everywhere.
  constexpr uint8_t mark[] = {'E', 'x', 'i', 'f', 0};
  const bool has_mark =
      block.size() >= 6 &&
      std::equal(std::begin(mark), std::end(mark), block.begin());
  return has_mark ? block.subspan(6) : std::span<const uint8_t>{};
}

int exif_orientation(std::span<const uint8_t> block) {
  if (const auto marked = after_exif_mark(block); !marked.empty())
    block = marked;
  const TiffNumbers numbers(block);
  const bool has_mark = (numbers.at(0) == 'I' && numbers.at(1) == 'I') ||
                        (numbers.at(0) == 'M' && numbers.at(1) == 'M');
  if (!has_mark || numbers.u16(2) != 42) return 1;
  const uint64_t directory = numbers.u32(4);
  const uint32_t count = numbers.u16(directory);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t entry = directory + 2 + 12 * uint64_t(i);
    if (entry + 12 > block.size()) break;
    if (numbers.u16(entry) != kOrientation) continue;
    const uint32_t value = first_number(numbers, entry);
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
