#include "core/crc32.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace calotype {
namespace {

constexpr size_t kAtOnce = 8;  // bytes of a step

/// table[n][b]: what byte b adds to the sum with n bytes after it.
using Tables = std::array<std::array<uint32_t, 256>, kAtOnce>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit)
      sum = (sum >> 1) ^ (sum & 1 ? 0xEDB88320u : 0u);
    tables[0][byte] = sum;
  }
  for (size_t n = 1; n < kAtOnce; ++n)
    for (size_t byte = 0; byte < 256; ++byte) {
      const auto before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

uint32_t crc32(std::span<const uint8_t> bytes) {
  static_assert(std::endian::native == std::endian::little);
  uint32_t sum = ~0u;
  while (bytes.size() >= kAtOnce) {
    uint64_t eight = 0;
    std::memcpy(&eight, bytes.data(), sizeof eight);
    eight ^= sum;
    sum = 0;
    for (size_t i = 0; i < kAtOnce; ++i)
      sum ^= kTables[kAtOnce - 1 - i][(eight >> (8 * i)) & 0xff];
    bytes = bytes.subspan(kAtOnce);
  }
  for (const auto byte : bytes)
    sum = (sum >> 8) ^ kTables[0][(sum ^ byte) & 0xff];
  return ~sum;
}

}  // namespace calotype
