#pragma once

#include <memory>
#include <string>

#include "datasets/image_source.h"

namespace calotype {

/// `emoji:google` or `emoji:twitter`, with `:train` or `:test` behind it for
/// nine tenths or one tenth: 64x64 images of the npm packages
/// emoji-datasource-* 16.0.0, where `./run data emoji` puts them or
/// $CALOTYPE_DATASETS names. The nine main categories are the classes. An emoji
/// and its skin tones are always on one side of the split. `what`: behind
/// "emoji:". Throws ConfigError that says how to get them, DataError if their
/// table is damaged.
std::unique_ptr<ImageSource> open_emoji(const std::string& what,
                                        const std::string& spec,
                                        const ImageLimits& limits);

}  // namespace calotype
