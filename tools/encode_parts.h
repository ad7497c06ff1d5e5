#pragma once

#include <filesystem>
#include <memory>

#include "datasets/image_source.h"
#include "models/codec.h"
#include "store/store_parts.h"
#include "tools/encode.h"

namespace calotype {

/// Where shards of a set of `num_images` end: a multiple of the batch, and
/// fewer often where images of several shapes would make small ones (ADR 7).
PartPlan cut_of(const EncodeJob& job, int64_t num_images);

/// Whether there is a store that is finished.
bool is_complete(const std::filesystem::path& store);

/// Encodes a part of the set (job.part), or makes the store of parts that are
/// all there (job.finishes); the last part does that too, and where several are
/// the last at once one of them is enough. `info`: of the whole store. Throws
/// ConfigError that lists what is missing, where the store is to be finished.
Json encode_in_parts(const EncodeJob& job, const LoadedCodec& codec,
                     const std::shared_ptr<const ImageSource>& source,
                     const StoreInfo& info);

}  // namespace calotype
