#include "models/autoencoder_kind.h"

#include <algorithm>
#include <string_view>

namespace calotype {
namespace {

using Kind = std::optional<CheckpointKind>;

// FoundationVision/LlamaGen.
Kind llamagen(const NamedShapes& shapes) {
  if (!shapes.has("encoder.conv_blocks.0.res.0.norm1.weight")) return {};
  return CheckpointKind{.name = "llamagen_vq",
                        .what = "the VQ tokenizer of LlamaGen",
                        .classes = {"VQModel"}};
}

// TencentARC/SEED-Voken.
Kind open_magvit2(const NamedShapes& shapes) {
  if (!shapes.has("encoder.mid_block.0.conv1.weight") ||
      !shapes.has("decoder.adaptive.0.gamma.weight"))
    return {};
  CheckpointKind kind{.name = "seed_open_magvit2",
                      .what = "the tokenizer of Open-MAGVIT2",
                      .classes = {"CalotypeMAGVIT2"}};
  kind.remarks.push_back(
      "diffusers has no class for it, CalotypeMAGVIT2 is this program's own");
  if (shapes.has_below("model_ema."))
    kind.remarks.push_back(
        "the moving average of its weights is in the file (model_ema)");
  return kind;
}

/// Of those with the same names, the project's.
void name_vq(CheckpointKind& kind, const NamedShapes& shapes,
             const WrittenBy& written_by) {
  // Codes of LDM's models are of 3, 4 or 8 numbers, of taming's of 256.
  constexpr int64_t kWideCode = 16;
  const std::string_view target = written_by.target;
  const auto name = [&](const char* given, const char* what) {
    kind.name = given;
    kind.what = what;
  };
  const auto ldm = [&] {
    name("ldm_vq", "the VQ autoencoder of latent-diffusion");
  };
  const auto taming = [&] {
    name("taming_vqgan", "the VQGAN of taming-transformers");
  };
  const auto ibq = [&] { name("seed_ibq", "the IBQ tokenizer of SEED-Voken"); };
  if (target.starts_with("ldm.")) return ldm();
  if (target.starts_with("taming.")) return taming();
  if (target.find(".IBQ.") != target.npos) return ibq();
  const auto guess = [&](const char* why) {
    kind.guess = why;
    kind.remarks.push_back(kind.guess);
  };
  if (written_by.lightning_2) {
    ibq();
    return guess(
        "taken for IBQ, and not for a VQGAN of the same names, since PyTorch "
        "Lightning 2 wrote it; a config.yaml beside it would tell");
  }
  shapes.size("quantize.embedding.weight", 1) >= kWideCode ? taming() : ldm();
  guess(
      "taming's VQGAN, latent-diffusion's and IBQ have the same names; told by "
      "the width of the code, for there is no config.yaml beside it");
}

/// Why an autoencoder of this layout has no class in diffusers; "" if it has.
std::string why_no_class(const NamedShapes& shapes, bool is_kl) {
  if (shapes.has_part(".to_qkv."))
    return "its attention is linear, for which there is no class here";
  if (shapes.size("encoder.conv_in.weight", 0) !=
      shapes.size("encoder.down.0.block.0.conv1.weight", 0))
    return "its first level is wider than its first convolution (ch_mult[0] is "
           "not 1), for which there is no class here";
  const auto embed_dim = shapes.size("post_quant_conv.weight", 1);
  if (is_kl && embed_dim != shapes.size("post_quant_conv.weight", 0))
    return "embed_dim is not z_channels, which AutoencoderKL cannot be";
  return "";
}

// CompVis/latent-diffusion, CompVis/taming-transformers, and IBQ.
Kind convolutional(const NamedShapes& shapes, const WrittenBy& written_by) {
  if (!shapes.has("encoder.down.0.block.0.norm1.weight") ||
      !shapes.has("encoder.mid.block_1.norm1.weight") ||
      !shapes.has("decoder.conv_in.weight"))
    return {};
  CheckpointKind kind;
  bool is_kl = false;
  if (shapes.has("quantize.embed.weight") &&
      shapes.has("quantize.proj.weight")) {
    kind.name = "taming_gumbel";
    kind.what = "the Gumbel VQGAN of taming-transformers";
    kind.remarks.push_back(
        "its codes are those of the largest logit, for which there is no class "
        "here");
    return kind;
  }
  if (shapes.has("quantize.embedding.cluster_size")) {
    kind.name = "taming_ema";
    kind.what = "the VQGAN of taming-transformers whose codes are means";
  } else if (shapes.has("quantize.embedding.weight")) {
    name_vq(kind, shapes, written_by);
  } else {
    is_kl = true;
    kind.name = "ldm_autoencoder_kl";
    kind.what = "the KL autoencoder of latent-diffusion";
    if (!shapes.has("quant_conv.weight"))
      kind.remarks.push_back("it has no quant_conv, as those of SD 3 and FLUX");
  }
  if (const auto why = why_no_class(shapes, is_kl); !why.empty())
    kind.remarks.push_back(why);
  else
    kind.classes = {is_kl ? "AutoencoderKL" : "VQModel"};
  if (shapes.has_below("model_ema."))
    kind.remarks.push_back(
        "the moving average of its weights is in the file (model_ema)");
  return kind;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
}

/// Whether all names begin with the number of a layer.
bool has_numbers_alone(const NamedShapes& shapes) {
  return std::all_of(shapes.tensors().begin(), shapes.tensors().end(),
                     [](const auto& item) {
                       const std::string_view name = item.first;
                       return is_number(name.substr(0, name.find('.')));
                     });
}

/// One side: layers of madebyollin/taesd, of which diffusers has those of the
/// first model alone.
Kind taesd_part(const NamedShapes& shapes, const std::string& part) {
  const bool is_encoder = part == "encoder";
  const std::string first = is_encoder ? "0" : "1";
  if (shapes.size(first + ".weight", 2) != 3 || !shapes.has(first + ".bias") ||
      (!is_encoder && shapes.has("0.weight")))
    return {};
  CheckpointKind kind{
      .name = "taesd", .part = part, .what = "the " + part + " of a TAESD"};
  const auto no_class = [&](const char* name, const char* whose) {
    kind.name = name;
    kind.remarks.push_back(std::string("its layers are those of ") + whose +
                           ", which AutoencoderTiny cannot be");
    return kind;
  };
  if (shapes.has_part(".pool.")) return no_class("taesd_flux2", "FLUX.2's");
  if (shapes.has(is_encoder ? "2.bias" : "29.bias"))
    return no_class("taesd_sana", "Sana's");
  if (!shapes.has_part(".conv.0.weight")) return {};
  kind.classes = {"AutoencoderTiny"};
  return kind;
}

// madebyollin/taesd: two files, or one of both.
Kind taesd(const NamedShapes& shapes) {
  if (const auto encoder = taesd_part(shapes.below("encoder."), "encoder"))
    if (const auto decoder = taesd_part(shapes.below("decoder."), "decoder")) {
      auto kind = encoder->classes.empty() ? *encoder : *decoder;
      kind.part = "";
      kind.what = "a TAESD";
      return kind;
    }
  if (!has_numbers_alone(shapes)) return {};
  for (const auto* part : {"encoder", "decoder"})
    if (auto kind = taesd_part(shapes, part)) {
      if (!kind->classes.empty())
        kind->remarks.push_back(
            std::string("the other half is a file of its own (taesd_") +
            (kind->part == "encoder" ? "decoder" : "encoder") + ")");
      return kind;
    }
  return {};
}

}  // namespace

Kind autoencoder_kind(const NamedShapes& shapes, const WrittenBy& written_by) {
  for (auto* known : {llamagen, open_magvit2})
    if (const auto kind = known(shapes)) return kind;
  if (const auto kind = convolutional(shapes, written_by)) return kind;
  return taesd(shapes);
}

}  // namespace calotype
