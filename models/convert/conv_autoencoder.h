#pragma once

#include "models/convert/converted.h"
#include "models/convert/source_tensors.h"

namespace calotype {

/// The autoencoder of latent-diffusion (KL or VQ), taming-transformers or IBQ
/// in `part`, as AutoencoderKL or VQModel. `arguments`: of its constructor as
/// the project's configuration has them, with ddconfig. Throws ConfigError for
/// a variant without a class here, DataError for what is damaged.
///
/// IBQ takes the code of the largest inner product with a latent, a VQModel the
/// nearest one. With one more dimension, 0 of each latent and
/// sqrt(max |e|^2 - |e|^2) of the code e, all codes are equally far from 0, and
/// both are the same.
ConvertedModel convert_ldm_autoencoder(const ConvertContext& context,
                                       const Json& arguments, SourcePart part);

/// LlamaGen's tokenizer as a VQModel. It divides latents and codes by their
/// length before it compares them: with codes of length 1, the nearest one of
/// any latent is that of the smallest angle.
ConvertedModel convert_llamagen(const ConvertContext& context, SourcePart part);

}  // namespace calotype
