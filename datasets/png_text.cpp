#include <algorithm>

#include "core/error.h"
#include "datasets/codecs.h"
#include "datasets/inflate.h"
#include "datasets/png_chunks.h"

// Words inside of PNG files (PNG, third edition, section 11.3.3).
namespace calotype {
namespace {

constexpr uint64_t kMaxInflatedText = 1 << 20;  // bytes of one compressed text

/// Cuts what stands ahead of the next zero byte off `rest`.
std::string take_until_zero(Bytes& rest, const std::string& where) {
  const auto zero = std::ranges::find(rest, 0);
  if (zero == rest.end())
    fail_damaged(where, "PNG", "text without its zero byte");
  std::string taken(rest.begin(), zero);
  rest = rest.subspan(taken.size() + 1);
  return taken;
}

std::string latin1_to_utf8(Bytes latin1) {
  std::string text;
  for (const uint8_t c : latin1) {
    if (c < 0x80) {
      text += char(c);
    } else {
      text += char(0xc0 | c >> 6);
      text += char(0x80 | (c & 0x3f));
    }
  }
  return text;
}

std::vector<uint8_t> inflate_text(Bytes data, const std::string& where) {
  return inflate_all(Wrapping::kZlib, data, kMaxInflatedText,
                     where + ": text of the PNG");
}

std::string read_international_text(Bytes rest, const std::string& where) {
  if (rest.size() < 2) fail_damaged(where, "PNG", "a short iTXt chunk");
  const bool compressed = rest[0] != 0;
  rest = rest.subspan(2);
  take_until_zero(rest, where);  // language
  take_until_zero(rest, where);  // key in that language
  if (!compressed) return {rest.begin(), rest.end()};
  const auto text = inflate_text(rest, where);
  return {text.begin(), text.end()};
}

}  // namespace

PngText read_png_text(std::span<const uint8_t> bytes,
                      const std::string& where) {
  PngText found;
  for (const auto& chunk : read_png_chunks(bytes, where)) {
    if (chunk.type != "tEXt" && chunk.type != "zTXt" && chunk.type != "iTXt")
      continue;
    Bytes rest = chunk.data;
    const auto key = take_until_zero(rest, where);
    if (chunk.type == "tEXt") {
      found.emplace_back(key, latin1_to_utf8(rest));
    } else if (chunk.type == "iTXt") {
      found.emplace_back(key, read_international_text(rest, where));
    } else {
      if (rest.empty()) fail_damaged(where, "PNG", "a short zTXt chunk");
      found.emplace_back(key,
                         latin1_to_utf8(inflate_text(rest.subspan(1), where)));
    }
  }
  return found;
}

}  // namespace calotype
