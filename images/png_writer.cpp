#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "core/error.h"
#include "images/codecs.h"
#include "images/png_chunks.h"

namespace calotype {
namespace {

uint8_t paeth(int left, int up, int corner) {
  const int guess = left + up - corner;
  const int to_left = std::abs(guess - left), to_up = std::abs(guess - up),
            to_corner = std::abs(guess - corner);
  if (to_left <= to_up && to_left <= to_corner) return uint8_t(left);
  return uint8_t(to_up <= to_corner ? up : corner);
}

/// `row` less its prediction by filter `kind` (PNG section 9.2), behind its
/// number.
void filter_row(int kind, const uint8_t* row, const uint8_t* above,
                int64_t size, int64_t channels, std::vector<uint8_t>& out) {
  out.clear();
  out.push_back(uint8_t(kind));
  for (int64_t i = 0; i < size; ++i) {
    const int left = i >= channels ? row[i - channels] : 0;
    const int up = above ? above[i] : 0;
    const int corner = above && i >= channels ? above[i - channels] : 0;
    int guess = 0;
    if (kind == 1) guess = left;
    if (kind == 2) guess = up;
    if (kind == 3) guess = (left + up) / 2;
    if (kind == 4) guess = paeth(left, up, corner);
    out.push_back(uint8_t(row[i] - guess));
  }
}

/// PNG's own advice for choosing a filter: the least sum of absolute
/// differences, taken as signed bytes (section 12.7).
int64_t cost_of(const std::vector<uint8_t>& filtered) {
  int64_t cost = 0;
  for (size_t i = 1; i < filtered.size(); ++i)
    cost += std::abs(int8_t(filtered[i]));
  return cost;
}

std::vector<uint8_t> filtered_rows(const Image& image) {
  const int64_t row_size = image.width * image.channels;
  std::vector<uint8_t> rows, tried, best;
  rows.reserve(size_t(image.height * (row_size + 1)));
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + y * row_size;
    const uint8_t* above = y > 0 ? row - row_size : nullptr;
    int64_t best_cost = INT64_MAX;
    for (int kind = 0; kind <= 4; ++kind) {
      filter_row(kind, row, above, row_size, image.channels, tried);
      const int64_t cost = cost_of(tried);
      if (cost >= best_cost) continue;
      best_cost = cost;
      best.swap(tried);
    }
    rows.insert(rows.end(), best.begin(), best.end());
  }
  return rows;
}

std::vector<uint8_t> deflate_all(const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> out(compressBound(bytes.size()));
  uLongf size = out.size();
  if (compress2(out.data(), &size, bytes.data(), bytes.size(), 6) != Z_OK)
    throw std::bad_alloc();
  out.resize(size);
  return out;
}

std::vector<uint8_t> international_text(const std::string& key,
                                        const std::string& text) {
  if (key.empty() || key.size() > 79 || key.find('\0') != std::string::npos)
    throw ConfigError(fmt::format(
        "encode_png: a key must have 1 to 79 letters, got '{}'", key));
  std::vector<uint8_t> data(key.begin(), key.end());
  data.insert(data.end(), 5,
              0);  // end of key, not compressed, no language, no translation
  data.insert(data.end(), text.begin(), text.end());
  return data;
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image, const PngText& text) {
  check_whole("encode_png", image);
  std::vector<uint8_t> header;
  append_big_endian_32(header, uint32_t(image.width));
  append_big_endian_32(header, uint32_t(image.height));
  const uint8_t color_type = image.channels == 1 ? 0 : 2;
  header.insert(header.end(), {8, color_type, 0, 0, 0});

  std::vector<uint8_t> png(std::begin(kPngSignature), std::end(kPngSignature));
  append_png_chunk(png, "IHDR", header);
  for (const auto& [key, value] : text)
    append_png_chunk(png, "iTXt", international_text(key, value));
  // A chunk holds less than 2 GiB; pieces of 1 GiB are plenty.
  const auto pixels = deflate_all(filtered_rows(image));
  constexpr size_t piece = 1 << 30;
  for (size_t at = 0; at < pixels.size(); at += piece)
    append_png_chunk(
        png, "IDAT",
        Bytes(pixels).subspan(at, std::min(piece, pixels.size() - at)));
  append_png_chunk(png, "IEND", {});
  return png;
}

}  // namespace calotype
