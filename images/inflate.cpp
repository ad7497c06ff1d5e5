#include "images/inflate.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "core/error.h"

namespace calotype {

Inflater::Inflater(Wrapping wrapping, std::string where,
                   std::function<void(std::span<const uint8_t>)> sink)
    : wrapping_(wrapping), where_(std::move(where)), sink_(std::move(sink)) {
  const int window_bits = wrapping == Wrapping::kGzip   ? 15 + 16
                          : wrapping == Wrapping::kNone ? -15
                                                        : 15;
  if (inflateInit2(&stream_, window_bits) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() {
  inflateEnd(&stream_);
}

void Inflater::feed(std::span<const uint8_t> bytes) {
  uint8_t buffer[1 << 15];
  while (!bytes.empty()) {
    if (ended_ && wrapping_ == Wrapping::kZlib) return;
    if (ended_) begin_member(bytes.front());
    const auto piece = std::min<size_t>(bytes.size(), 1 << 30);
    stream_.next_in = const_cast<uint8_t*>(bytes.data());
    stream_.avail_in = uInt(piece);
    do {
      stream_.next_out = buffer;
      stream_.avail_out = sizeof buffer;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        throw DataError(fmt::format("{}: damaged compressed data ({})", where_,
                                    stream_.msg ? stream_.msg : "zlib error"));
      ended_ = status == Z_STREAM_END;
      sink_({buffer, sizeof buffer - stream_.avail_out});
    } while (!ended_ && stream_.avail_out == 0);
    bytes = bytes.subspan(piece - stream_.avail_in);
  }
}

void Inflater::begin_member(uint8_t first) {
  constexpr uint8_t kMagic = 0x1f;
  if (wrapping_ != Wrapping::kGzip || first != kMagic)
    throw DataError(where_ + ": bytes follow the end of the compressed data");
  if (inflateReset(&stream_) != Z_OK) throw std::bad_alloc();
  ended_ = false;
}

void Inflater::finish() const {
  if (!ended_)
    throw DataError(where_ + ": truncated (the compressed data break off)");
}

std::vector<uint8_t> inflate_all(Wrapping wrapping,
                                 std::span<const uint8_t> bytes,
                                 uint64_t max_bytes, const std::string& where) {
  std::vector<uint8_t> all;
  Inflater inflater(wrapping, where, [&](std::span<const uint8_t> part) {
    if (all.size() + part.size() > max_bytes)
      throw DataError(fmt::format("{}: decompresses to more than {} bytes",
                                  where, max_bytes));
    all.insert(all.end(), part.begin(), part.end());
  });
  inflater.feed(bytes);
  inflater.finish();
  return all;
}

}  // namespace calotype
