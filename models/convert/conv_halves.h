#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "models/convert/converted.h"
#include "models/convert/rewriter.h"

// The encoder and the decoder of convolutional autoencoders that go back to
// taming-transformers, and what they are called in nn/encoder_decoder.h.
namespace calotype {

/// What a project calls the pieces of a half.
struct HalfNames {
  const char* down;                      // a level of the encoder, "down.{}"
  const char* up;                        // of the decoder
  bool up_by_resolution;                 // up.0 is the finest and runs last
  const char* block;                     // of a level, "block"
  const char *first, *attention, *last;  // of the middle
};

inline constexpr HalfNames kTamingNames{
    "down.{}",     "up.{}",      true,         "block",
    "mid.block_1", "mid.attn_1", "mid.block_2"};
inline constexpr HalfNames kLlamaGenNames{
    "conv_blocks.{}", "conv_blocks.{}", false,  "res",
    "mid.0",          "mid.1",          "mid.2"};

/// The shape of a half; levels from the image inwards for an encoder, the other
/// way round for a decoder, as they run.
struct HalfShape {
  std::vector<int64_t> widths;
  std::vector<bool> has_attention;
  int64_t num_blocks = 0;  // of a level
  bool mid_attention = false;
  int64_t in_channels = 0, out_channels = 0;
};

/// Of "encoder" or "decoder", from names and shapes alone. Throws ConfigError
/// for halves that no class here has, DataError for what is missing.
HalfShape read_half(const ConvertContext& context, const SourcePart& part,
                    const HalfNames& names, bool is_encoder);

/// Carries the tensors of a half over.
void rewrite_half(Rewriter& rewriter, const HalfNames& names,
                  const HalfShape& shape, bool is_encoder);

/// The keys that both classes of such autoencoders share. Throws ConfigError
/// for halves that do not mirror one another.
Json config_of_halves(const ConvertContext& context, const HalfShape& encoder,
                      const HalfShape& decoder);

/// Throws ConfigError where the `ddconfig` of a project's arguments is another
/// model's, or asks for what no class does.
void check_ddconfig(const ConvertContext& context, const Json& arguments,
                    const HalfShape& encoder, const HalfShape& decoder);

/// What only the training of an autoencoder needs is no part of a model.
void set_training_aside(SourcePart& part);

}  // namespace calotype
