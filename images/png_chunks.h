#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The outer layer of PNG: chunks and their checksums (PNG, third edition,
// section 5).
namespace calotype {

inline constexpr uint8_t kPngSignature[] = {0x89, 'P',  'N',  'G',
                                            '\r', '\n', 0x1a, '\n'};

struct PngChunk {
  std::string_view type;          // four letters
  std::span<const uint8_t> data;  // both views of the file's bytes
};

/// The chunks up to and with IEND; the first is IHDR. Throws DataError if the
/// file is no PNG, breaks off, or a checksum is wrong.
std::vector<PngChunk> read_png_chunks(std::span<const uint8_t> bytes,
                                      const std::string& where);

void append_png_chunk(std::vector<uint8_t>& png, std::string_view type,
                      std::span<const uint8_t> data);

uint32_t read_big_endian_32(const uint8_t* bytes);
void append_big_endian_32(std::vector<uint8_t>& bytes, uint32_t value);

}  // namespace calotype
