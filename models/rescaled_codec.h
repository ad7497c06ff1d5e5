#pragma once

#include <string>

#include "core/codec_record.h"
#include "models/codec.h"

namespace calotype {

/// `codec` as one whose latents have the scale of `record`'s, which made them:
/// where the two differ in scaling_factor or shift_factor, latents are turned
/// into its own before it decodes them, which a note says in the name of
/// `where`.
LoadedCodec with_scale_of(LoadedCodec codec, const CodecRecord& record,
                          const std::string& where);

/// Throws ConfigError where with_scale_of would turn latents into others.
void expect_scale_of(const LoadedCodec& codec, const CodecRecord& record,
                     const std::string& where);

}  // namespace calotype
