#include "models/convert/latent_diffusion.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "core/note.h"
#include "models/convert/conv_autoencoder.h"
#include "models/convert/ldm_schedule.h"
#include "models/convert/ldm_unet.h"

namespace calotype {
namespace {

constexpr const char* kUnetPrefix = "model.diffusion_model.";
constexpr const char* kFirstStage = "first_stage_model.";

double scale_of_latents(const ConvertContext& context, const Json& arguments,
                        SourceTensors& source) {
  if (context.options.scaling_factor) return *context.options.scaling_factor;
  if (source.has("scale_factor")) {
    const auto scale = source.take("scale_factor");
    if (scale.numel() != 1)
      throw DataError(context.where + ": scale_factor must be one number");
    return scale.item<double>();
  }
  if (const auto scale =
          number_at(arguments, {"scale_factor"}, context.project_where()))
    return *scale;
  if (!context.project.is_there())
    note(context.where +
         ": the scale of its latents is not in the file and is 1; a "
         "configuration (--config) or --scaling-factor says another");
  return 1;
}

ConvertedModel first_stage(ConvertContext context, const Json& arguments,
                           SourceTensors& source) {
  context.options.scaling_factor = scale_of_latents(context, arguments, source);
  context.options.sample_size = {};
  context.kind.what += ", its first stage,";
  SourcePart part(source, kFirstStage);
  if (context.wants_averages())
    part.use_averages(kFirstStage, std::string(kFirstStage) + "model_ema.");
  return convert_ldm_autoencoder(
      context, value_at(arguments, {"first_stage_config", "params"}), part);
}

ConvertedModel unet(const ConvertContext& context, const Json& arguments,
                    SourceTensors& source) {
  if (context.kind.name == "ldm_concat_conditional")
    refuse_variant(context, "whose U-Net takes a condition as channels");
  if (context.kind.name != "ldm_unconditional")
    refuse_variant(context, "whose U-Net has cross-attention");
  SourcePart part(source, kUnetPrefix);
  const bool averaged =
      context.wants_averages() && part.use_averages("model.", "model_ema.");
  if (averaged)
    note(context.where +
         ": the U-Net's moving average is taken, as the project samples with "
         "it (--weights plain takes the last weights)");
  return convert_ldm_unet(context,
                          value_at(arguments, {"unet_config", "params"}), part);
}

int64_t latent_channels(const ConvertedModel& codec) {
  return codec.config
      .at(codec.config.contains("vq_embed_dim") ? "vq_embed_dim"
                                                : "latent_channels")
      .get<int64_t>();
}

/// What a LatentDiffusion computes from its schedule and keeps all the same.
void set_ballast_aside(SourceTensors& source) {
  for (const char* table :
       {"betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod", "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod",
        "posterior_variance", "posterior_log_variance_clipped",
        "posterior_mean_coef1", "posterior_mean_coef2", "lvlb_weights",
        "logvar"})
    source.set_aside(table, "tables of the schedule");
  source.set_aside("scale_factor", "tables of the schedule");
  for (const char* counter : {"model_ema.decay", "model_ema.num_updates"})
    source.set_aside(counter, "counters of moving averages");
}

/// Parts that have no class here, by their prefixes.
void leave_out(const ConvertContext& context, SourceTensors& source,
               const std::string& prefix, const std::string& what) {
  if (const auto count = source.drop(prefix, what + ": no class here"))
    note(fmt::format("{}: {}* ({} tensor{}), {}, {} left out", context.where,
                     prefix, count, count == 1 ? "" : "s", what,
                     count == 1 ? "is" : "are"));
}

}  // namespace

Conversion convert_latent_diffusion(const ConvertContext& context,
                                    SourceTensors& source) {
  const auto arguments = constructor_arguments(context.project.json);
  std::optional<ConvertedModel> codec, denoiser;
  std::string why;
  if (source.has_under(kFirstStage)) {
    try {
      codec = first_stage(context, arguments, source);
    } catch (const NoClassHere& error) {
      why = error.what();
      leave_out(context, source, kFirstStage, "its first stage");
    }
  }
  try {
    denoiser = unet(context, arguments, source);
    const auto takes = denoiser->config.at("in_channels").get<int64_t>();
    if (codec && takes != latent_channels(*codec)) {
      denoiser.reset();
      refuse_variant(context, fmt::format("whose U-Net takes {} channels where "
                                          "latents have {}",
                                          takes, latent_channels(*codec)));
    }
  } catch (const NoClassHere& error) {
    if (!codec)
      throw NoClassHere(error.what() +
                        (why.empty() ? "" : std::string("; and ") + why));
    note(std::string(error.what()) + "; the first stage alone is converted");
    leave_out(context, source, kUnetPrefix, "its denoiser");
    source.drop("model_ema.", "moving averages of what is left out");
  }

  Conversion result{.kind = context.kind};
  if (codec && denoiser) {
    result.pipeline = "LDMPipeline";
    result.scheduler =
        convert_ldm_schedule(context, arguments, SourcePart(source, ""));
    result.models.emplace_back("unet", std::move(*denoiser));
    result.models.emplace_back("vqvae", std::move(*codec));
  } else {
    if (!codec)
      note((why.empty() ? context.where + ": has no first stage" : why) +
           "; the U-Net alone is converted, without its schedule");
    result.models.emplace_back("", std::move(codec ? *codec : *denoiser));
  }
  leave_out(context, source, "cond_stage_model.", "its conditioner");
  leave_out(context, source, "conditioner.", "its conditioner");
  if (source.has_under("model_ema."))
    source.set_aside("model_ema.", "moving averages that are not taken");
  set_ballast_aside(source);
  return result;
}

}  // namespace calotype
