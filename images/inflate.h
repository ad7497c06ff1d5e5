#pragma once

#include <zlib.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace calotype {

/// Around deflated data (RFC 1951): kNone has neither header nor checksum.
enum class Wrapping { kZlib, kGzip, kNone };

/// Decompresses zlib, gzip or bare data piece by piece and checks the checksum.
class Inflater {
 public:
  /// `where` leads messages. `sink` gets what comes out and may throw.
  Inflater(Wrapping wrapping, std::string where,
           std::function<void(std::span<const uint8_t>)> sink);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Throws DataError if the data are damaged, or if others follow their end.
  /// Of gzip, members follow one another (RFC 1952, section 2.2), as pigz and
  /// bgzip write them; what follows the end of zlib's is ignored, as every
  /// viewer of PNG does.
  void feed(std::span<const uint8_t> bytes);

  /// Throws DataError if the data have not come to their end.
  void finish() const;

 private:
  /// After the end of a member, with the first byte that follows.
  void begin_member(uint8_t first);

  const Wrapping wrapping_;
  std::string where_;
  std::function<void(std::span<const uint8_t>)> sink_;
  z_stream stream_{};
  bool ended_ = false;
};

/// All of it. Throws DataError if it is damaged or above `max_bytes`.
std::vector<uint8_t> inflate_all(Wrapping wrapping,
                                 std::span<const uint8_t> bytes,
                                 uint64_t max_bytes, const std::string& where);

}  // namespace calotype
