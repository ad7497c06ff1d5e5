#include <fmt/format.h>

#include "images/codecs.h"

// PBM, PGM and PPM in letters (P1 to P3) and in bytes (P4 to P6), as netpbm's
// manual pages define them.
namespace calotype {
namespace {

class PnmReader {
 public:
  PnmReader(Bytes bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  /// A whole number in letters, after blanks and comments.
  uint32_t number() {
    skip_blanks();
    if (at_ < bytes_.size() && !is_digit(bytes_[at_]))
      fail("expected a number");
    if (at_ >= bytes_.size()) truncated();
    uint64_t value = 0;
    for (; at_ < bytes_.size() && is_digit(bytes_[at_]); ++at_) {
      value = value * 10 + (bytes_[at_] - '0');
      if (value > INT32_MAX) fail("number too large");
    }
    return uint32_t(value);
  }

  /// One bit of a P1 file: a 0 or a 1, with or without blanks around it.
  bool letter_bit() {
    skip_blanks();
    if (at_ >= bytes_.size()) truncated();
    const uint8_t letter = bytes_[at_++];
    if (letter != '0' && letter != '1') fail("expected 0 or 1");
    return letter == '1';
  }

  /// The one blank between the header and the pixels in bytes.
  void end_header() {
    if (at_ >= bytes_.size()) truncated();
    if (!is_blank(bytes_[at_])) fail("expected a blank after the header");
    ++at_;
  }

  Bytes take(uint64_t count) {
    if (bytes_.size() - at_ < count) truncated();
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }

  /// Throws unless at least `count` bytes are left: less cannot hold the
  /// pixels, so that a short file never gets a large buffer.
  void expect(uint64_t count) {
    if (bytes_.size() - at_ < count) truncated();
  }

  void skip(uint64_t count) { take(count); }

  [[noreturn]] void fail(const std::string& what) const {
    fail_damaged(where_, "PNM", what);
  }

 private:
  static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
  static bool is_blank(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
  }

  [[noreturn]] void truncated() const {
    fail_truncated(where_, "PNM",
                   fmt::format("ends after {} bytes", bytes_.size()));
  }

  void skip_blanks() {
    while (at_ < bytes_.size() &&
           (is_blank(bytes_[at_]) || bytes_[at_] == '#')) {
      if (bytes_[at_] == '#')
        while (at_ < bytes_.size() && bytes_[at_] != '\n') ++at_;
      else
        ++at_;
    }
  }

  Bytes bytes_;
  const std::string& where_;
  size_t at_ = 0;
};

void read_packed_bits(PnmReader& reader, Image& image) {
  const int64_t row_size = (image.width + 7) / 8;
  reader.expect(uint64_t(image.height * row_size));
  for (int64_t y = 0; y < image.height; ++y) {
    const auto row = reader.take(uint64_t(row_size));
    for (int64_t x = 0; x < image.width; ++x)
      image.pixels.push_back(row[size_t(x / 8)] >> (7 - x % 8) & 1 ? 0 : 255);
  }
}

void read_samples(PnmReader& reader, Image& image, uint32_t max,
                  bool in_letters) {
  const int64_t count = image.height * image.width * image.channels;
  const int size = in_letters || max < 256 ? 1 : 2;
  reader.expect(uint64_t(count * size));
  for (int64_t i = 0; i < count; ++i) {
    uint32_t value = 0;
    if (in_letters)
      value = reader.number();
    else
      for (const uint8_t byte : reader.take(uint64_t(size)))
        value = value << 8 | byte;
    if (value > max)
      reader.fail(fmt::format("{} above the largest value {}", value, max));
    image.pixels.push_back(scale_to_byte(value, max));
  }
}

}  // namespace

Image decode_pnm(Bytes bytes, const std::string& where,
                 const ImageLimits& limits) {
  PnmReader reader(bytes, where);
  const int kind = bytes[1] - '0';
  reader.skip(2);
  Image image;
  image.width = reader.number();
  image.height = reader.number();
  image.channels = kind == 3 || kind == 6 ? 3 : 1;
  check_image_size(where, "PNM", image.width, image.height, limits);
  const bool is_bitmap = kind == 1 || kind == 4;
  const uint32_t max = is_bitmap ? 1 : reader.number();
  if (max < 1 || max > 65535) reader.fail(fmt::format("largest value {}", max));
  const bool in_letters = kind <= 3;
  if (!in_letters) reader.end_header();

  if (kind == 4) {
    read_packed_bits(reader, image);
  } else if (kind == 1) {
    reader.expect(uint64_t(image.height * image.width));
    for (int64_t i = 0; i < image.height * image.width; ++i)
      image.pixels.push_back(reader.letter_bit() ? 0 : 255);  // 1 is black
  } else {
    read_samples(reader, image, max, in_letters);
  }
  return image;
}

}  // namespace calotype
