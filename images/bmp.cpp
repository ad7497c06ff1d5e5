#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "images/bmp_runs.h"
#include "images/codecs.h"

// BMP: palettes of 1, 4 and 8 bits, run-length coded or not, and 16, 24 and 32
// bits with Windows' or the file's own bit masks.
namespace calotype {
namespace {

constexpr char kFormat[] = "BMP";

enum Compression : uint32_t {
  kRgb = 0,
  kRunLength8 = 1,
  kRunLength4 = 2,
  kBitFields = 3,
  kAlphaBitFields = 6
};

struct BmpHeader {
  uint64_t pixel_offset = 0;
  uint64_t palette_offset = 0;
  int palette_entry_size = 4;
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0;
  uint32_t compression = kRgb;
  std::array<uint32_t, 4> masks{};  // red, green, blue, alpha
};

class BmpReader {
 public:
  BmpReader(Bytes bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  uint32_t number(uint64_t at, int size) const {
    if (at + size > bytes_.size())
      fail_truncated(where_, kFormat, "in the header");
    uint32_t value = 0;
    for (int i = size - 1; i >= 0; --i) value = value << 8 | bytes_[at + i];
    return value;
  }

  BmpHeader header() const;

 private:
  Bytes bytes_;
  const std::string& where_;
};

BmpHeader BmpReader::header() const {
  BmpHeader h;
  h.pixel_offset = number(10, 4);
  const uint32_t size = number(14, 4);
  h.palette_offset = 14 + uint64_t(size);
  if (size == 12) {  // OS/2
    h.palette_entry_size = 3;
    h.width = number(18, 2);
    h.height = number(20, 2);
    h.bits = number(24, 2);
    return h;
  }
  h.width = int32_t(number(18, 4));
  h.height = int32_t(number(22, 4));
  h.top_down = h.height < 0;
  h.height = std::abs(h.height);
  h.bits = number(28, 2);
  h.compression = number(30, 4);
  if (h.compression == kRgb) {
    if (h.bits == 16) h.masks = {0x7c00, 0x03e0, 0x001f, 0};
    if (h.bits == 32) h.masks = {0xff0000, 0x00ff00, 0x0000ff, 0};
  }
  if (h.compression == kBitFields || h.compression == kAlphaBitFields) {
    // A header of 40 bytes is followed by the masks; larger ones hold them.
    const bool has_alpha = size >= 56 || h.compression == kAlphaBitFields;
    const int count = has_alpha ? 4 : 3;
    for (int i = 0; i < count; ++i) h.masks[i] = number(54 + 4 * i, 4);
    if (size == 40) h.palette_offset += 4 * count;
  }
  return h;
}

void check_header(const BmpHeader& h, const std::string& where) {
  const bool masked = h.bits == 16 || h.bits == 32;
  const bool known_bits =
      h.bits == 1 || h.bits == 4 || h.bits == 8 || h.bits == 24 || masked;
  if (!known_bits)
    fail_damaged(where, kFormat, fmt::format("{} bits a pixel", h.bits));
  const bool has_masks = masked && (h.compression == kBitFields ||
                                    h.compression == kAlphaBitFields);
  const bool has_runs = (h.compression == kRunLength8 && h.bits == 8) ||
                        (h.compression == kRunLength4 && h.bits == 4);
  if (h.compression != kRgb && !has_masks && !has_runs)
    throw DataError(where + ": BMP of compression " +
                    std::to_string(h.compression) + " is not supported");
  if (!masked) return;
  for (const uint32_t mask : h.masks) {
    const uint32_t ones = mask ? mask >> std::countr_zero(mask) : 0;
    if ((ones & (ones + 1)) != 0)
      fail_damaged(where, kFormat, "a bit mask with gaps");
  }
  if (!h.masks[0] || !h.masks[1] || !h.masks[2])
    fail_damaged(where, kFormat, "an empty bit mask");
}

using PaletteColor = std::array<uint8_t, 3>;  // red, green, blue

/// As many entries as lie ahead of the pixels.
std::vector<PaletteColor> read_palette(Bytes bytes, const BmpHeader& h) {
  std::vector<PaletteColor> palette;
  const uint64_t end = std::min<uint64_t>(h.pixel_offset, bytes.size());
  for (uint64_t at = h.palette_offset;
       at + h.palette_entry_size <= end && palette.size() < (1u << h.bits);
       at += h.palette_entry_size)
    palette.push_back({bytes[at + 2], bytes[at + 1], bytes[at]});
  return palette;
}

Image read_indexed(const uint8_t* rows, uint64_t stride, const BmpHeader& h,
                   const std::vector<PaletteColor>& palette,
                   const std::string& where) {
  const bool is_grey = std::ranges::all_of(palette, [](const PaletteColor& c) {
    return c[0] == c[1] && c[1] == c[2];
  });
  Image image{h.height, h.width, is_grey ? 1 : 3, {}};
  image.pixels.reserve(size_t(h.height * h.width * image.channels));
  const uint32_t per_byte = 8 / h.bits;
  for (int64_t y = 0; y < h.height; ++y)
    for (uint32_t x = 0; x < h.width; ++x) {
      const uint32_t shift = 8 - h.bits * (x % per_byte + 1);
      const uint32_t index =
          rows[y * stride + x / per_byte] >> shift & ((1u << h.bits) - 1);
      if (index >= palette.size())
        fail_damaged(
            where, kFormat,
            fmt::format("color {} of a palette of {}", index, palette.size()));
      image.pixels.insert(image.pixels.end(), palette[index].begin(),
                          palette[index].begin() + image.channels);
    }
  return image;
}

Image read_bytes(const uint8_t* rows, uint64_t stride, const BmpHeader& h) {
  Image image{h.height, h.width, 3, {}};
  image.pixels.reserve(size_t(h.height * h.width * 3));
  for (int64_t y = 0; y < h.height; ++y) {
    const uint8_t* at = rows + y * stride;
    for (int64_t x = 0; x < h.width; ++x, at += 3)
      image.pixels.insert(image.pixels.end(), {at[2], at[1], at[0]});
  }
  return image;
}

/// Whether no pixel of four samples has any alpha.
bool is_all_clear(const std::vector<uint8_t>& samples) {
  for (size_t at = 3; at < samples.size(); at += 4)
    if (samples[at] != 0) return false;
  return true;
}

Image read_masked(const uint8_t* rows, uint64_t stride, const BmpHeader& h) {
  const int size = int(h.bits / 8);
  const int num_samples = h.masks[3] ? 4 : 3;
  std::vector<uint8_t> samples;
  samples.reserve(size_t(h.height * h.width * num_samples));
  for (int64_t y = 0; y < h.height; ++y)
    for (int64_t x = 0; x < h.width; ++x) {
      uint32_t pixel = 0;
      for (int i = size - 1; i >= 0; --i)
        pixel = pixel << 8 | rows[y * stride + x * size + i];
      for (int s = 0; s < num_samples; ++s) {
        const int shift = std::countr_zero(h.masks[s]);
        samples.push_back(
            scale_to_byte((pixel & h.masks[s]) >> shift, h.masks[s] >> shift));
      }
    }
  // Writers that know no alpha leave its byte zero, and mean an opaque picture.
  if (num_samples == 4 && is_all_clear(samples))
    for (size_t at = 3; at < samples.size(); at += 4) samples[at] = 255;
  return lay_on_white(samples.data(), h.height, h.width, num_samples);
}

Image upside_down(Image image) {
  const int64_t row = image.width * image.channels;
  for (int64_t y = 0; y < image.height / 2; ++y)
    std::swap_ranges(image.pixels.begin() + y * row,
                     image.pixels.begin() + (y + 1) * row,
                     image.pixels.end() - (y + 1) * row);
  return image;
}

}  // namespace

Image decode_bmp(Bytes bytes, const std::string& where,
                 const ImageLimits& limits) {
  const auto header = BmpReader(bytes, where).header();
  check_image_size(where, kFormat, header.width, header.height, limits);
  check_header(header, where);
  const uint64_t stride = (uint64_t(header.width) * header.bits + 31) / 32 * 4;
  if (header.compression == kRunLength8 || header.compression == kRunLength4) {
    if (header.top_down)
      fail_damaged(where, kFormat, "run lengths from the top down");
    const auto offset = std::min<uint64_t>(header.pixel_offset, bytes.size());
    const auto rows = expand_bmp_runs(bytes.subspan(offset), header.bits,
                                      header.width, header.height, where);
    return upside_down(read_indexed(rows.data(), stride, header,
                                    read_palette(bytes, header), where));
  }
  // Some writers leave out the padding of the last row.
  const uint64_t last_row = (uint64_t(header.width) * header.bits + 7) / 8;
  const uint64_t end =
      header.pixel_offset + stride * (header.height - 1) + last_row;
  if (bytes.size() < end)
    fail_truncated(where, kFormat,
                   fmt::format("{} of {} bytes", bytes.size(), end));

  const uint8_t* rows = bytes.data() + header.pixel_offset;
  Image image = header.bits <= 8
                    ? read_indexed(rows, stride, header,
                                   read_palette(bytes, header), where)
                : header.bits == 24 ? read_bytes(rows, stride, header)
                                    : read_masked(rows, stride, header);
  return header.top_down ? image : upside_down(std::move(image));
}

}  // namespace calotype
