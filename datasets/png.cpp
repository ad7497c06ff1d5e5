#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "datasets/codecs.h"
#include "datasets/exif.h"
#include "datasets/inflate.h"
#include "datasets/png_chunks.h"
#include "datasets/stb.h"

namespace calotype {
namespace {

constexpr uint8_t kPalette = 3;  // colour types, PNG section 11.2.1

struct PngHeader {
  int64_t width = 0, height = 0;
  uint8_t bits = 0, color_type = 0;
  bool interlaced = false;
};

PngHeader read_header(Bytes data, const std::string& where) {
  const PngHeader header{read_big_endian_32(&data[0]),
                         read_big_endian_32(&data[4]), data[8], data[9],
                         data[12] == 1};
  // PNG section 11.2.1: grey has 1 to 16 bits, a palette 1 to 8, others 8
  // or 16.
  const int least =
      header.color_type == 0 || header.color_type == kPalette ? 1 : 8;
  const int most = header.color_type == kPalette ? 8 : 16;
  if (!std::has_single_bit(header.bits) || header.bits < least ||
      header.bits > most)
    fail_damaged(where, "PNG",
                 fmt::format("color type {} with {} bits a sample",
                             header.color_type, header.bits));
  return header;
}

int samples_per_pixel(const PngHeader& header, const std::string& where) {
  switch (header.color_type) {
    case 0:
    case kPalette:
      return 1;
    case 2:
      return 3;
    case 4:
      return 2;
    case 6:
      return 4;
  }
  fail_damaged(where, "PNG", fmt::format("color type {}", header.color_type));
}

/// Bytes of the filtered rows, which is what the compressed data must come to.
uint64_t filtered_size(const PngHeader& header, const std::string& where) {
  const uint64_t pixel_bits =
      uint64_t(header.bits) * uint64_t(samples_per_pixel(header, where));
  const auto size_of = [&](int64_t width, int64_t height) -> uint64_t {
    if (width <= 0 || height <= 0) return 0;
    return uint64_t(height) * (1 + (uint64_t(width) * pixel_bits + 7) / 8);
  };
  if (!header.interlaced) return size_of(header.width, header.height);
  struct Pass {
    int64_t x, y, dx, dy;
  };
  // Adam7, PNG section 8.
  static constexpr Pass passes[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8},
                                    {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2},
                                    {0, 1, 1, 2}};
  uint64_t size = 0;
  for (const auto& pass : passes)
    size += size_of((header.width - pass.x + pass.dx - 1) / pass.dx,
                    (header.height - pass.y + pass.dy - 1) / pass.dy);
  return size;
}

/// Throws unless the pixel data decompress to exactly what the header
/// announces. stb_image would let its buffer grow without bound, and ignores
/// the checksum.
void check_pixel_data(const std::vector<PngChunk>& chunks,
                      const PngHeader& header, const std::string& where) {
  const uint64_t expected = filtered_size(header, where);
  uint64_t size = 0;
  Inflater inflater(
      Wrapping::kZlib, where + ": pixels of the PNG", [&](Bytes part) {
        size += part.size();
        if (size > expected)
          fail_damaged(where, "PNG",
                       fmt::format("more than {} bytes of pixels", expected));
      });
  for (const auto& chunk : chunks)
    if (chunk.type == "IDAT") inflater.feed(chunk.data);
  inflater.finish();
  if (size < expected)
    fail_truncated(where, "PNG",
                   fmt::format("{} of {} bytes of pixels", size, expected));
}

/// A copy with its palette filled up with black: stb_image looks up colours
/// beyond the end of a short palette in memory that it never set.
std::vector<uint8_t> with_whole_palette(const std::vector<PngChunk>& chunks,
                                        uint8_t bits) {
  std::vector<uint8_t> png(std::begin(kPngSignature), std::end(kPngSignature));
  for (const auto& chunk : chunks) {
    if (chunk.type != "PLTE") {
      append_png_chunk(png, chunk.type, chunk.data);
      continue;
    }
    std::vector<uint8_t> palette(chunk.data.begin(), chunk.data.end());
    palette.resize(std::max<size_t>(palette.size(), size_t(3) << bits));
    append_png_chunk(png, "PLTE", palette);
  }
  return png;
}

}  // namespace

Image decode_png(Bytes bytes, const std::string& where,
                 const ImageLimits& limits) {
  // The size stands at a fixed place. It is looked at first, so that a bomb is
  // refused before its checksums are computed.
  if (bytes.size() >= 24)
    check_image_size(where, "PNG", read_big_endian_32(&bytes[16]),
                     read_big_endian_32(&bytes[20]), limits);
  const auto chunks = read_png_chunks(bytes, where);
  const auto header = read_header(chunks[0].data, where);
  check_pixel_data(chunks, header, where);

  Image image;
  if (header.color_type == kPalette)
    image =
        decode_with_stb(with_whole_palette(chunks, header.bits), false, where);
  else
    image = decode_with_stb(bytes, header.bits == 16, where);
  const auto exif = std::ranges::find(chunks, "eXIf", &PngChunk::type);
  const int orientation =
      exif == chunks.end() ? 1 : exif_orientation(exif->data);
  return apply_orientation(std::move(image), orientation);
}

}  // namespace calotype
