#include <algorithm>

#include "core/error.h"
#include "images/codecs.h"
#include "images/inflate.h"
#include "images/png_chunks.h"
#include "images/png_notes.h"

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

/// Key and value of a text chunk.
std::pair<std::string, std::string> read_text_chunk(const PngChunk& chunk,
                                                    const std::string& where) {
  Bytes rest = chunk.data;
  const auto key = take_until_zero(rest, where);
  if (chunk.type == "tEXt") return {key, latin1_to_utf8(rest)};
  if (chunk.type == "iTXt") return {key, read_international_text(rest, where)};
  if (rest.empty()) fail_damaged(where, "PNG", "a short zTXt chunk");
  return {key, latin1_to_utf8(inflate_text(rest.subspan(1), where))};
}

bool is_text(const PngChunk& chunk) {
  return chunk.type == "tEXt" || chunk.type == "zTXt" || chunk.type == "iTXt";
}

/// Bytes in hexadecimal letters, blanks between them; nothing if others stand
/// there.
std::vector<uint8_t> from_hex(std::string_view text) {
  std::vector<uint8_t> bytes;
  int digits = 0, value = 0;
  for (const char c : text) {
    if (c == '\n' || c == ' ' || c == '\r') continue;
    const auto place = std::string_view("0123456789abcdef").find(char(c | 32));
    if (place == std::string_view::npos) return {};
    value = value << 4 | int(place);
    if (++digits % 2 == 0) bytes.push_back(uint8_t(value));
  }
  return bytes;
}

/// The bytes in ImageMagick's "raw profile" text: a name, their number, and
/// they themselves in hexadecimal, each on lines of its own.
std::vector<uint8_t> raw_profile(const std::string& text) {
  const auto name = text.find_first_not_of('\n');
  if (name == std::string::npos) return {};
  const auto count = text.find('\n', name);
  if (count == std::string::npos) return {};
  const auto begin = text.find('\n', count + 1);
  if (begin == std::string::npos) return {};
  return from_hex(std::string_view(text).substr(begin));
}

}  // namespace

PngText read_png_text(std::span<const uint8_t> bytes,
                      const std::string& where) {
  PngText found;
  for (const auto& chunk : read_png_chunks(bytes, where))
    if (is_text(chunk)) found.push_back(read_text_chunk(chunk, where));
  return found;
}

std::vector<uint8_t> png_raw_exif(const std::vector<PngChunk>& chunks,
                                  const std::string& where) {
  for (const auto& chunk : chunks) {
    if (!is_text(chunk)) continue;
    const std::string_view head(
        reinterpret_cast<const char*>(chunk.data.data()),
        std::min<size_t>(chunk.data.size(), 24));
    if (!head.starts_with("Raw profile type exif") &&
        !head.starts_with("Raw profile type APP1"))
      continue;
    try {
      return raw_profile(read_text_chunk(chunk, where).second);
    } catch (const DataError&) {  // words never cost the picture
    }
  }
  return {};
}

}  // namespace calotype
