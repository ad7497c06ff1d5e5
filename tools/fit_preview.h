#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "core/preview_map.h"
#include "datasets/image_source.h"
#include "models/codec.h"

namespace calotype {

/// Fits a linear map from the latents of `store`, whose rows are all written,
/// to the means of the pixels that each cell stands for. At most 512 images are
/// used, evenly chosen by their position in the source and read from it again:
/// so the map depends on what is stored alone, and not on how often the
/// encoding was broken off. Nothing if no image is stored or can be read.
std::optional<PreviewMap> fit_preview(
    const std::filesystem::path& store,
    const std::shared_ptr<const ImageSource>& source,
    const Preprocessing& preprocessing, const LatentCodec& codec,
    int num_workers);

}  // namespace calotype
