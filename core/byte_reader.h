#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace calotype {

/// Takes bytes from the front of a span. What asks for more than there is gets
/// `false` or nothing, and takes nothing.
class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  size_t position() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  /// The next `size` bytes.
  bool take(uint64_t size, std::span<const uint8_t>& taken) {
    if (size > left()) return false;
    taken = bytes_.subspan(at_, size_t(size));
    at_ += size_t(size);
    return true;
  }

  /// A little-endian number of `size` bytes, eight at most.
  bool take_number(size_t size, uint64_t& number) {
    std::span<const uint8_t> taken;
    if (!take(size, taken)) return false;
    number = 0;
    for (size_t i = 0; i < size; ++i) number |= uint64_t(taken[i]) << (8 * i);
    return true;
  }

  /// What comes before the next '\n', which is taken too.
  bool take_line(std::string_view& line) {
    const std::string_view rest(
        reinterpret_cast<const char*>(bytes_.data()) + at_, left());
    const auto end = rest.find('\n');
    if (end == std::string_view::npos) return false;
    line = rest.substr(0, end);
    at_ += end + 1;
    return true;
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

}  // namespace calotype
