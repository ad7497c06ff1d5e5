#pragma once

#include <cstddef>
#include <string>

#include "core/error.h"
#include "images/image_io.h"
#include "tests/images/image_files.h"
#include "tests/support/message_of.h"

namespace calotype {

/// Why a file is not taken.
inline std::string reason_against(const FileBytes& bytes,
                                  const ImageLimits& limits = {}) {
  return message_of<DataError>([&] { decode_image(bytes, "a.img", limits); });
}

/// No file that is cut off, or has a byte changed, brings the program down.
inline void expect_robust(const FileBytes& whole) {
  for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 64)
    reason_against({whole.begin(), whole.begin() + std::ptrdiff_t(size)});
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 256) {
    auto changed = whole;
    changed[at] ^= 0xff;
    reason_against(changed, {.max_pixels = 100'000});
  }
}

}  // namespace calotype
