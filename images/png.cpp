#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "images/codecs.h"
#include "images/color_profile.h"
#include "images/exif.h"
#include "images/inflate.h"
#include "images/png_chunks.h"
#include "images/png_notes.h"
#include "images/stb.h"

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

/// The file that stb_image gets: the chunks that it needs, a palette filled up
/// with black, since it looks up colours beyond the end of a short one in
/// memory that it never set, and the pixels inflated already, in zlib's format
/// without compression (RFC 1950, RFC 1951 section 3.2.4). Checksums are left
/// out.
class PlainPng {
 public:
  PlainPng(const std::vector<PngChunk>& chunks, const PngHeader& header,
           uint64_t num_bytes)
      : file_(std::begin(kPngSignature), std::end(kPngSignature)) {
    file_.reserve(num_bytes + num_bytes / 4096 + 4096);
    for (const auto& chunk : chunks) {
      // Lower case: may be left out. The transparent colours may not.
      const bool is_needed = (chunk.type[0] & 32) == 0 || chunk.type == "tRNS";
      if (!is_needed || chunk.type == "IDAT" || chunk.type == "IEND") continue;
      // Beside colours of their own it is but a suggestion.
      if (chunk.type == "PLTE" && header.color_type != kPalette) continue;
      begin_chunk(chunk.type);
      add(chunk.data);
      if (chunk.type == "PLTE")
        file_.resize(
            std::max(file_.size(), begin_ + 8 + (size_t(3) << header.bits)));
      end_chunk();
    }
    begin_chunk("IDAT");
    file_.insert(file_.end(), {0x78, 0x01});
  }

  /// At most 65535 bytes of pixels.
  void add_pixels(Bytes part) {
    if (file_.size() - begin_ > kMaxChunk) {
      end_chunk();
      begin_chunk("IDAT");
    }
    add_block(part, false);
  }

  std::vector<uint8_t> finish() {
    add_block({}, true);
    file_.insert(file_.end(), 4, 0);  // where zlib's checksum stands
    end_chunk();
    begin_chunk("IEND");
    end_chunk();
    return std::move(file_);
  }

 private:
  static constexpr size_t kMaxChunk = 1 << 29;  // stb_image takes up to 1 << 30

  void add(Bytes bytes) {
    file_.insert(file_.end(), bytes.begin(), bytes.end());
  }
  void add_block(Bytes part, bool is_last) {
    const auto size = uint16_t(part.size());
    const auto other = uint16_t(~size);
    file_.insert(file_.end(),
                 {uint8_t(is_last), uint8_t(size), uint8_t(size >> 8),
                  uint8_t(other), uint8_t(other >> 8)});
    add(part);
  }
  void begin_chunk(std::string_view type) {
    begin_ = file_.size();
    file_.insert(file_.end(), 4, 0);
    file_.insert(file_.end(), type.begin(), type.end());
  }
  void end_chunk() {
    const auto size = uint32_t(file_.size() - begin_ - 8);
    for (int i = 0; i < 4; ++i)
      file_[begin_ + size_t(i)] = uint8_t(size >> (24 - 8 * i));
    file_.insert(file_.end(), 4, 0);  // where its checksum stands
  }

  std::vector<uint8_t> file_;
  size_t begin_ = 0;  // of the chunk in hand
};

/// Throws unless the pixel data decompress to what the header announces:
/// stb_image would let its buffer grow without bound, and ignores the checksum.
std::vector<uint8_t> inflate_pixels(const std::vector<PngChunk>& chunks,
                                    const PngHeader& header,
                                    const std::string& where) {
  const uint64_t expected = filtered_size(header, where);
  PlainPng plain(chunks, header, expected);
  uint64_t size = 0;
  Inflater inflater(
      Wrapping::kZlib, where + ": pixels of the PNG", [&](Bytes part) {
        size += part.size();
        if (size > expected)
          fail_damaged(where, "PNG",
                       fmt::format("more than {} bytes of pixels", expected));
        plain.add_pixels(part);
      });
  for (const auto& chunk : chunks)
    if (chunk.type == "IDAT") inflater.feed(chunk.data);
  inflater.finish();
  if (size < expected)
    fail_truncated(where, "PNG",
                   fmt::format("{} of {} bytes of pixels", size, expected));
  return plain.finish();
}

}  // namespace

Picture decode_png(Bytes bytes, const std::string& where,
                   const ImageLimits& limits) {
  // The size stands at a fixed place. It is looked at first, so that a bomb is
  // refused before its checksums are computed.
  if (bytes.size() >= 24)
    check_image_size(where, "PNG", read_big_endian_32(&bytes[16]),
                     read_big_endian_32(&bytes[20]), limits);
  const auto chunks = read_png_chunks(bytes, where);
  const auto header = read_header(chunks[0].data, where);
  const bool has_16_bits = header.bits == 16;
  const auto samples = decode_with_stb(inflate_pixels(chunks, header, where),
                                       has_16_bits, where);
  auto notes = png_notes(chunks);
  apply_profile(png_profile(chunks, where),
                {.data = samples.data.get(),
                 .num_pixels = samples.height * samples.width,
                 .per_pixel = samples.num_samples,
                 .bytes_each = has_16_bits ? 2 : 1},
                limits, notes);
  const auto laid = [&](const auto* values) {
    return lay_on_white(values, samples.height, samples.width,
                        samples.num_samples);
  };
  auto image = has_16_bits
                   ? laid(static_cast<const uint16_t*>(samples.data.get()))
                   : laid(static_cast<const uint8_t*>(samples.data.get()));
  return {apply_orientation(std::move(image), png_orientation(chunks, where)),
          std::move(notes)};
}

}  // namespace calotype
