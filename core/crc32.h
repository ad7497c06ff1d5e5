#pragma once

#include <cstdint>
#include <span>

namespace calotype {

/// The checksum of zip archives (ISO 3309, polynomial 0xEDB88320, reflected).
uint32_t crc32(std::span<const uint8_t> bytes);

}  // namespace calotype
