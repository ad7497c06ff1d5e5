#pragma once

#include "core/config.h"
#include "datasets/image_source.h"

namespace calotype {

/// What fingerprints of sources are of; where a record names no kind, it is of
/// names, sizes and times, as earlier programs took it.
inline constexpr const char* kFingerprintKind = "contents";

/// What stores and runs say of a set: spec, fingerprint, fingerprint_kind and
/// count. Reads all of its files, unless they are remembered.
Json source_record(const ImageSource& source);

}  // namespace calotype
