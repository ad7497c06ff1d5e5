#include "models/checkpoint_kind.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "core/error.h"
#include "models/autoencoder_kind.h"
#include "models/convert/project_config.h"
#include "models/named_shapes.h"

namespace calotype {
namespace {

using Kind = std::optional<CheckpointKind>;

// CompVis/latent-diffusion and what came of it: Stable Diffusion 1 and 2.
Kind latent_diffusion(const NamedShapes& shapes) {
  const std::string unet = "model.diffusion_model.";
  if (!shapes.has(unet + "input_blocks.0.0.weight")) return {};
  CheckpointKind kind;
  const auto first_stage =
      autoencoder_kind(shapes.below("first_stage_model."),
                       {.target = "ldm.", .lightning_2 = false});
  if (first_stage) {
    kind.classes = first_stage->classes;
    kind.remarks = first_stage->remarks;
  } else {
    kind.remarks.push_back("its first stage is none that is known");
  }
  const auto channels = shapes.size(unet + "input_blocks.0.0.weight", 1);
  const auto latent_channels = shapes.size(unet + "out.2.weight", 0);
  const bool crosses = shapes.below(unet).has_part(".attn2.to_k.weight");
  kind.what = "a LatentDiffusion";
  if (crosses) {
    const bool by_class = shapes.has("cond_stage_model.embedding.weight");
    kind.name = by_class ? "ldm_class_conditional" : "ldm_text_conditional";
    kind.what += by_class ? " that is told a class" : " that is told by text";
    kind.remarks.push_back(
        "its U-Net has cross-attention, for which there is no class here");
  } else if (channels != latent_channels) {
    kind.name = "ldm_concat_conditional";
    kind.what += " that sees an image beside the noise";
    kind.remarks.push_back(
        "its U-Net takes a condition as channels, for which there is no class "
        "here");
  } else {
    kind.name = "ldm_unconditional";
    kind.classes.push_back("UNet2DModel");
    if (!shapes.has("betas"))
      kind.remarks.push_back("the schedule's betas are not in the file");
  }
  if (shapes.has_below("model_ema."))
    kind.remarks.push_back("the moving average of its U-Net is in the file");
  return kind;
}

// facebookresearch/DiT, and SiT, which has its names.
Kind dit(const NamedShapes& shapes) {
  if (!shapes.has("blocks.0.adaLN_modulation.1.weight") ||
      !shapes.has("x_embedder.proj.weight"))
    return {};
  CheckpointKind kind{.name = "dit", .what = "a DiT"};
  if (shapes.has("y_embedder.embedding_table.weight") &&
      shapes.has("blocks.0.mlp.fc1.weight") &&
      shapes.has("blocks.0.attn.qkv.weight") && !shapes.has_part(".q_norm.")) {
    kind.classes = {"DiTTransformer2DModel"};
    kind.remarks.push_back(
        "the number of heads is not in the weights: it is of the model's name, "
        "or an option");
  } else {
    kind.name = "unknown";
    kind.what = "a relative of DiT";
    kind.remarks.push_back(
        "its blocks have other layers than DiT's, for which there is no class "
        "here");
  }
  return kind;
}

Kind diffusers(const NamedShapes& shapes) {
  const bool is_codec =
      shapes.has("encoder.down_blocks.0.resnets.0.norm1.weight");
  const bool is_unet = shapes.has("down_blocks.0.resnets.0.norm1.weight");
  const bool is_dit = shapes.has("transformer_blocks.0.norm1.linear.weight");
  const bool is_tiny = shapes.has("encoder.layers.0.weight") &&
                       shapes.has("decoder.layers.0.weight");
  if (!is_codec && !is_unet && !is_dit && !is_tiny) return {};
  CheckpointKind kind{.name = "diffusers", .what = "a model of diffusers"};
  if (is_codec)
    kind.classes = {shapes.has("quantize.embedding.weight") ? "VQModel"
                                                            : "AutoencoderKL"};
  else if (is_tiny)
    kind.classes = {"AutoencoderTiny"};
  else if (is_dit)
    kind.classes = {"DiTTransformer2DModel"};
  else if (!shapes.has_part(".attn2."))
    kind.classes = {"UNet2DModel"};
  else
    kind.remarks.push_back(
        "its U-Net has cross-attention, for which there is no class here");
  if (shapes.has_part(".query.weight")) {
    kind.name = "diffusers_old_attention";
    kind.remarks.push_back("attention has its names of 2022");
  }
  return kind;
}

// richzhang/PerceptualSimilarity.
Kind lpips(const NamedShapes& shapes) {
  if (!shapes.has("lin0.model.1.weight") &&
      !shapes.has("lins.0.model.1.weight"))
    return {};
  CheckpointKind kind{.name = "lpips",
                      .what = "LPIPS with its network",
                      .read_by = "evaluate --lpips"};
  if (!shapes.has("net.slice1.0.weight")) {
    kind.name = "lpips_linear";
    kind.what = "the linear layers of LPIPS";
    kind.remarks.push_back(
        "torchvision's weights of the network belong beside it");
  }
  return kind;
}

Kind inception(const NamedShapes& shapes) {
  if (!shapes.has("Conv2d_1a_3x3.conv.weight") ||
      !shapes.has_below("Mixed_7c."))
    return {};
  const auto num_classes = shapes.size("fc.weight", 0);
  if (num_classes == 0 || num_classes == 1008)
    return CheckpointKind{.name = "fid_inception",
                          .what = "the Inception in which FID is measured",
                          .read_by = "evaluate --features"};
  return CheckpointKind{
      .name = "inception_v3",
      .what = "torchvision's Inception v3",
      .remarks = {"FID is measured in the one of 2015, with 1008 classes, and "
                  "not in this"}};
}

// torchvision's, of which LPIPS takes the convolutions.
Kind trunk(const NamedShapes& shapes) {
  CheckpointKind kind{.read_by = "evaluate --lpips, beside LPIPS's own layers"};
  if (shapes.has("features.28.weight") && shapes.has("features.2.weight"))
    kind.name = "vgg16", kind.what = "torchvision's VGG-16";
  else if (shapes.has("features.3.squeeze.weight") &&
           shapes.has("features.12.squeeze.weight"))
    kind.name = "squeezenet", kind.what = "torchvision's SqueezeNet 1.1";
  else if (shapes.size("features.0.weight", 2) == 11 &&
           shapes.has("features.10.weight"))
    kind.name = "alexnet", kind.what = "torchvision's AlexNet";
  else
    return {};
  return kind;
}

Kind kind_of(const NamedShapes& shapes, const WrittenBy& written_by) {
  for (auto* known : {latent_diffusion, dit})
    if (const auto kind = known(shapes)) return kind;
  if (const auto kind = autoencoder_kind(shapes, written_by)) return kind;
  for (auto* known : {diffusers, lpips, inception, trunk})
    if (const auto kind = known(shapes)) return kind;
  return {};
}

}  // namespace

CheckpointKind kind_of(const Checkpoint& checkpoint) {
  std::string target;
  try {
    target = project_target(find_project_config(checkpoint.path()).json);
  } catch (const DataError&) {
    // A damaged configuration tells nothing of a file that is sound.
  }
  return kind_of(checkpoint, target);
}

CheckpointKind kind_of(const Checkpoint& checkpoint,
                       const std::string& target) {
  const WrittenBy written_by{.target = target,
                             .lightning_2 = checkpoint.of_lightning_2()};
  // DistributedDataParallel's, torch.compile's, and a first stage alone.
  constexpr std::array<const char*, 4> kPrefixes{"", "module.", "_orig_mod.",
                                                 "first_stage_model."};
  for (const auto& state_dict : checkpoint.state_dicts())
    for (const auto* prefix : kPrefixes) {
      const NamedShapes shapes(state_dict.tensors, prefix);
      if (*prefix && !shapes.has_below("")) continue;
      if (auto kind = kind_of(shapes, written_by)) {
        kind->wrapper = state_dict.wrapper;
        kind->prefix = prefix;
        return *kind;
      }
    }
  CheckpointKind unknown{.what = "tensors of no network that is known"};
  unknown.wrapper = checkpoint.state_dict().wrapper;
  return unknown;
}

}  // namespace calotype
