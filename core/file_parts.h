#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

namespace calotype {

/// Takes the next bytes of a file.
using PartSink = std::function<void(std::span<const uint8_t>)>;

/// write_file_atomic (core/files.h), synced, of bytes that are never in memory
/// at once: `give_parts` calls what it is given with each part in order. What
/// it throws comes through, and then `path` holds what it held.
void write_parts_atomic(
    const std::filesystem::path& path,
    const std::function<void(const PartSink& sink)>& give_parts);

}  // namespace calotype
