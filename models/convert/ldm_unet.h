#pragma once

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// The U-Net of latent-diffusion without cross-attention, whose names `part`
/// has, as a UNet2DModel. `arguments`: of its constructor (unet_config.params).
/// How its attention is divided into heads is not in the file: it comes from
/// there or from an option. Throws ConfigError for a variant without a class
/// here or heads that nobody tells, DataError for what is damaged.
ConvertedModel convert_ldm_unet(const ConvertContext& context,
                                const Json& arguments, SourcePart part);

}  // namespace calotype
