#include "models/convert/conv_autoencoder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/note.h"
#include "models/convert/conv_halves.h"
#include "models/convert/rewriter.h"
#include "vae/autoencoder_kl.h"
#include "vqvae/vq_model.h"

namespace calotype {
namespace {

struct Halves {
  HalfShape encoder, decoder;
};

Halves read_halves(const ConvertContext& context, const SourcePart& part,
                   const HalfNames& names) {
  return {.encoder = read_half(context, part, names, true),
          .decoder = read_half(context, part, names, false)};
}

void rewrite_halves(Rewriter& rewriter, const HalfNames& names,
                    const Halves& halves) {
  rewrite_half(rewriter, names, halves.encoder, true);
  rewrite_half(rewriter, names, halves.decoder, false);
}

/// sample_size, which changes no number and is of use to readers of diffusers.
void add_sample_size(const ConvertContext& context, Json& config,
                     const std::optional<int64_t>& configured) {
  if (context.options.sample_size)
    config["sample_size"] = *context.options.sample_size;
  else if (configured)
    config["sample_size"] = *configured;
  else {
    config["sample_size"] = 32;
    note(context.where +
         ": the size of its images is not in the file; sample_size is 32, "
         "which changes no number");
  }
}

void add_scaling_factor(const ConvertContext& context, Json& config) {
  if (context.options.scaling_factor) {
    config["scaling_factor"] = *context.options.scaling_factor;
    return;
  }
  config["scaling_factor"] = 1.0;
  note(context.where +
       ": a scaling_factor belongs to a diffusion model of these latents and "
       "is not in the file; it is 1, --scaling-factor says another");
}

/// Codes [K,D] with one more dimension, in which all become equally long.
at::Tensor lifted_codes(const at::Tensor& codes) {
  const auto rows = codes.to(at::kDouble);
  const auto squares = rows.square().sum(1, /*keepdim=*/true);
  return at::cat({rows, (squares.max() - squares).clamp_min(0).sqrt()}, 1)
      .to(at::kFloat);
}

/// Convolutions of 1x1 to and from such codes, which put 0 there and read
/// nothing of it.
void lift(TensorFile& weights) {
  auto& tensors = weights.tensors;
  const auto add_zero = [](at::Tensor& numbers, int64_t dim) {
    auto shape = numbers.sizes().vec();
    shape[size_t(dim)] = 1;
    numbers = at::cat({numbers, at::zeros(shape, numbers.options())}, dim);
  };
  add_zero(tensors.at("quant_conv.weight"), 0);
  add_zero(tensors.at("quant_conv.bias"), 0);
  add_zero(tensors.at("post_quant_conv.weight"), 1);
  auto& codes = tensors.at("quantize.embedding.weight");
  codes = lifted_codes(codes);
}

ConvertedModel kl_model(const ConvertContext& context, const Json& arguments,
                        SourcePart& part, const Halves& halves) {
  const auto D = halves.decoder.in_channels;
  const bool has_quant_conv = part.has("quant_conv.weight");
  if (has_quant_conv) {
    const auto moments = part.size("quant_conv.weight", 0);
    const auto latents = part.size("post_quant_conv.weight", 1);
    if (moments != 2 * D || latents != D)
      refuse_variant(context, fmt::format("with latents of {} channels between "
                                          "convolutions of {} (embed_dim and "
                                          "z_channels)",
                                          latents, D));
    expect_agrees(context, "embed_dim",
                  whole_at(arguments, {"embed_dim"}, context.project_where()),
                  latents);
  }
  if (halves.encoder.out_channels != 2 * D)
    refuse_variant(context, fmt::format("whose encoder puts out {} channels "
                                        "and whose decoder takes {}",
                                        halves.encoder.out_channels, D));
  ConvertedModel model{
      .class_name = AutoencoderKLImpl::kClassName,
      .config = config_of_halves(context, halves.encoder, halves.decoder)};
  model.config["use_quant_conv"] = has_quant_conv;
  model.config["use_post_quant_conv"] = has_quant_conv;
  Rewriter rewriter(part, model.weights);
  if (has_quant_conv)
    for (const char* layer : {"quant_conv", "post_quant_conv"})
      rewriter.layer(layer, layer);
  rewrite_halves(rewriter, kTamingNames, halves);
  return model;
}

ConvertedModel vq_model(const ConvertContext& context, SourcePart& part,
                        const HalfNames& names, const Halves& halves) {
  if (part.has("quantize.proj.weight") || part.has("quantize.embed.weight"))
    refuse_variant(context,
                   "with a Gumbel quantizer, which takes the largest of its "
                   "logits");
  ConvertedModel model{
      .class_name = VQModelImpl::kClassName,
      .config = config_of_halves(context, halves.encoder, halves.decoder)};
  const auto num_codes = part.size("quantize.embedding.weight", 0);
  const auto code_dim = part.size("quantize.embedding.weight", 1);
  part.expect_shape("quantize.embedding.weight", {num_codes, code_dim});
  part.expect_shape("quant_conv.weight",
                    {code_dim, halves.encoder.out_channels, 1, 1});
  model.config["num_vq_embeddings"] = num_codes;
  model.config["vq_embed_dim"] = code_dim;
  Rewriter rewriter(part, model.weights);
  for (const char* layer : {"quant_conv", "post_quant_conv"})
    rewriter.layer(layer, layer);
  rewriter.tensor("quantize.embedding.weight", "quantize.embedding.weight");
  rewrite_halves(rewriter, names, halves);
  for (const char* state :
       {"quantize.embedding.cluster_size", "quantize.embedding.embed_avg",
        "quantize.codebook_used"})
    part.set_aside(state, "what only training needs of a codebook");
  return model;
}

void expect_complete(SourcePart& part, const std::string& class_name) {
  for (const char* prefix :
       {"encoder.", "decoder.", "quantize.", "quant_conv.", "post_quant_conv."})
    part.expect_all_used(prefix, class_name);
}

}  // namespace

ConvertedModel convert_ldm_autoencoder(const ConvertContext& context,
                                       const Json& arguments, SourcePart part) {
  const auto where = context.project_where();
  const auto halves = read_halves(context, part, kTamingNames);
  check_ddconfig(context, arguments, halves.encoder, halves.decoder);
  const bool is_vq = part.has_under("quantize.");
  auto model = is_vq ? vq_model(context, part, kTamingNames, halves)
                     : kl_model(context, arguments, part, halves);
  if (is_vq) {
    expect_agrees(context, "n_embed", whole_at(arguments, {"n_embed"}, where),
                  model.config["num_vq_embeddings"].get<int64_t>());
    expect_agrees(context, "embed_dim",
                  whole_at(arguments, {"embed_dim"}, where),
                  model.config["vq_embed_dim"].get<int64_t>());
  }
  if (context.kind.name == "seed_ibq") {
    for (const char* key : {"l2_normalize", "cosine_similarity"})
      if (flag_at(arguments, {key}))
        refuse_variant(context, fmt::format("with {}", key));
    lift(model.weights);
    model.config["vq_embed_dim"] =
        model.config["vq_embed_dim"].get<int64_t>() + 1;
  }
  add_sample_size(context, model.config,
                  whole_at(arguments, {"ddconfig", "resolution"}, where));
  add_scaling_factor(context, model.config);
  set_training_aside(part);
  expect_complete(part, model.class_name);
  return model;
}

ConvertedModel convert_llamagen(const ConvertContext& context,
                                SourcePart part) {
  const auto arguments =
      constructor_arguments(context.project.json, "ModelArgs");
  const auto where = context.project_where();
  const auto halves = read_halves(context, part, kLlamaGenNames);
  auto model = vq_model(context, part, kLlamaGenNames, halves);
  expect_agrees(context, "codebook_size",
                whole_at(arguments, {"codebook_size"}, where),
                model.config["num_vq_embeddings"].get<int64_t>());
  expect_agrees(context, "codebook_embed_dim",
                whole_at(arguments, {"codebook_embed_dim"}, where),
                model.config["vq_embed_dim"].get<int64_t>());
  if (!context.project.is_there())
    note(context.where +
         ": its codes are compared by angle, as LlamaGen's are unless a "
         "configuration says codebook_l2_norm: false, and none lies beside "
         "it");
  if (flag_at(arguments, {"codebook_l2_norm"}, /*otherwise=*/true)) {
    auto& codes = model.weights.tensors.at("quantize.embedding.weight");
    const auto rows = codes.to(at::kDouble);
    codes = (rows / rows.norm(2, 1, true).clamp_min(1e-12)).to(at::kFloat);
  }
  add_sample_size(context, model.config, {});
  add_scaling_factor(context, model.config);
  expect_complete(part, model.class_name);
  return model;
}

}  // namespace calotype
