#include "models/convert/converted.h"

#include <fmt/format.h>

namespace calotype {

void leave_out_own_keys(Json& config, const Json& source) {
  for (const char* key :
       {"quantizer", "freq_shift", "decoder_block_out_channels"})
    if (!source.contains(key)) config.erase(key);
}

void refuse_variant(const ConvertContext& context, const std::string& what) {
  throw NoClassHere(fmt::format("{}: {} {}: no class here is such a model",
                                context.where, context.kind.what, what));
}

void expect_agrees(const ConvertContext& context, const std::string& key,
                   const std::optional<int64_t>& configured, int64_t in_file) {
  if (!configured || *configured == in_file) return;
  throw ConfigError(fmt::format(
      "{}: {} is {}, but {} holds {}; name the model's own configuration with "
      "--config",
      context.project_where(), key, *configured, context.where, in_file));
}

void expect_heads_wanted(const ConvertOptions& options,
                         const CheckpointKind& kind, const std::string& where) {
  const bool has_unet = kind.name.starts_with("ldm_") &&
                        kind.name != "ldm_vq" &&
                        kind.name != "ldm_autoencoder_kl";
  if ((!options.heads && !options.head_channels) || kind.name == "dit" ||
      has_unet)
    return;
  throw ConfigError(fmt::format(
      "{}: {} is converted without --heads and --head-channels, which are of "
      "DiT and of U-Nets",
      where, kind.what));
}

}  // namespace calotype
