#include "models/convert/dit.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <string>

#include "core/check.h"
#include "core/error.h"
#include "core/note.h"
#include "denoisers/dit_transformer2d_model.h"
#include "models/convert/rewriter.h"
#include "nn/transformer_block.h"

namespace calotype {
namespace {

/// What half precision leaves of a sine.
constexpr double kSamePositions = 1e-3;

/// Numbers of class tables, 8 GiB; DiT-XL of 1,000 classes has 3.2e7.
constexpr int64_t kMostRepeated = int64_t{1} << 31;

int64_t num_heads(const ConvertContext& context, const Json& arguments,
                  int64_t width) {
  const auto configured =
      whole_at(arguments, {"num_heads"}, context.project_where());
  const auto& options = context.options;
  auto heads = options.heads ? options.heads : configured;
  if (options.head_channels && *options.head_channels > 0)
    heads = width / *options.head_channels;
  if (!heads)
    throw ConfigError(fmt::format(
        "{}: the number of heads is not in the file; say --heads (published "
        "models of width {} have their paper's, such as 16 of DiT-XL), or name "
        "a configuration with num_heads (--config)",
        context.where, width));
  if (*heads < 1 || width % *heads != 0)
    throw ConfigError(
        fmt::format("{}: the number of heads must divide the width {}, got {}",
                    context.where, width, *heads));
  return *heads;
}

int64_t edge_of_square(const ConvertContext& context, int64_t num_tokens) {
  const auto edge = int64_t(std::lround(std::sqrt(double(num_tokens))));
  if (edge * edge != num_tokens)
    refuse_variant(context, fmt::format("of {} positions, which are no square",
                                        num_tokens));
  return edge;
}

/// Sines and cosines that the class computes itself.
void check_positions(const ConvertContext& context, const at::Tensor& table,
                     int64_t width, int64_t edge) {
  const auto want = grid_positions(width, edge, edge, edge);
  const auto far = (table.to(at::kFloat).reshape({edge * edge, width}) -
                    want.reshape({edge * edge, width}))
                       .abs()
                       .max()
                       .item<double>();
  if (!(far <= kSamePositions))
    refuse_variant(context,
                   fmt::format("whose pos_embed is not that of sines and "
                               "cosines (off by {:.2g})",
                               far));
}

void rewrite_qkv(Rewriter& rewriter, const std::string& from,
                 const std::string& to, int64_t width, bool has_bias) {
  for (const char* kind : {"weight", "bias"}) {
    if (!has_bias && kind == std::string("bias")) continue;
    const auto rows = rewriter.source().take(from + "." + kind);
    if (rows.dim() == 0 || rows.size(0) != 3 * width)
      throw DataError(fmt::format("{}: {}.{} must have 3 * {} rows, got {}",
                                  rewriter.source().where(), from, kind, width,
                                  shape_text(rows.sizes())));
    const auto parts = rows.split(width, 0);
    rewriter.set(to + "to_q." + kind, parts[0]);
    rewriter.set(to + "to_k." + kind, parts[1]);
    rewriter.set(to + "to_v." + kind, parts[2]);
  }
}

/// One block; diffusers repeats the embeddings of time and class in each.
void rewrite_block(Rewriter& rewriter, int64_t index, int64_t width,
                   bool has_bias) {
  const auto from = fmt::format("blocks.{}.", index);
  const auto to = fmt::format("transformer_blocks.{}.", index);
  const auto embedding = to + "norm1.emb.";
  rewriter.layer("t_embedder.mlp.0", embedding + "timestep_embedder.linear_1");
  rewriter.layer("t_embedder.mlp.2", embedding + "timestep_embedder.linear_2");
  rewriter.tensor("y_embedder.embedding_table.weight",
                  embedding + "class_embedder.embedding_table.weight");
  rewriter.layer(from + "adaLN_modulation.1", to + "norm1.linear");
  rewrite_qkv(rewriter, from + "attn.qkv", to + "attn1.", width, has_bias);
  rewriter.layer(from + "attn.proj", to + "attn1.to_out.0");
  rewriter.layer(from + "mlp.fc1", to + "ff.net.0.proj");
  rewriter.layer(from + "mlp.fc2", to + "ff.net.2");
}

/// Classes that can be asked for: the table has a row more for none, unless
/// labels were never hidden in training.
int64_t num_classes(const ConvertContext& context, const Json& arguments,
                    int64_t num_rows) {
  const auto configured =
      whole_at(arguments, {"num_classes"}, context.project_where());
  if (configured && *configured == num_rows)
    note(context.where +
         ": was trained without hiding classes; its last class stands where "
         "others have none, so that guidance has no sense");
  else
    expect_agrees(context, "num_classes", configured, num_rows - 1);
  return num_rows - 1;
}

}  // namespace

ConvertedModel convert_dit(const ConvertContext& context, SourcePart part) {
  const auto arguments = constructor_arguments(context.project.json, "DiT");
  const auto where = context.project_where();
  const auto width = part.size("x_embedder.proj.weight", 0);
  const auto channels = part.size("x_embedder.proj.weight", 1);
  const auto patch = part.size("x_embedder.proj.weight", 2);
  int64_t depth = 0;
  while (part.has(fmt::format("blocks.{}.adaLN_modulation.1.weight", depth)))
    ++depth;
  const auto edge = edge_of_square(context, part.size("pos_embed", 1));
  const auto out = part.size("final_layer.linear.weight", 0);
  if (width == 0 || patch == 0 || out % (patch * patch) != 0)
    throw DataError(fmt::format(
        "{}: final_layer.linear.weight must have {} rows for each channel, got "
        "{}",
        context.where, patch * patch, out));
  const auto hidden = part.size("blocks.0.mlp.fc1.weight", 0);
  if (hidden != 4 * width)
    refuse_variant(context,
                   fmt::format("with {} channels inside of its MLPs, expected "
                               "4 * {}",
                               hidden, width));
  expect_agrees(context, "hidden_size",
                whole_at(arguments, {"hidden_size"}, where), width);
  expect_agrees(context, "depth", whole_at(arguments, {"depth"}, where), depth);
  expect_agrees(context, "patch_size",
                whole_at(arguments, {"patch_size"}, where), patch);
  for (int64_t i = 0; i < depth; ++i)
    part.expect_shape(fmt::format("blocks.{}.adaLN_modulation.1.weight", i),
                      {6 * width, width});
  part.expect_shape("x_embedder.proj.weight", {width, channels, patch, patch});
  part.expect_shape("final_layer.linear.weight", {out, width});
  const auto rows = part.size("y_embedder.embedding_table.weight", 0);
  part.expect_shape("y_embedder.embedding_table.weight", {rows, width});
  if (rows * width * depth > kMostRepeated)
    refuse_variant(context,
                   fmt::format("of {} classes, whose table each of {} blocks "
                               "would repeat",
                               rows, depth));
  const auto heads = num_heads(context, arguments, width);
  const auto positions = part.take("pos_embed");
  if (positions.numel() != edge * edge * width)
    throw DataError(fmt::format("{}: pos_embed must be [1, {}, {}], got {}",
                                context.where, edge * edge, width,
                                shape_text(positions.sizes())));
  check_positions(context, positions, width, edge);

  const bool has_bias = part.has("blocks.0.attn.qkv.bias");
  ConvertedModel model{
      .class_name = DiTTransformer2DModelImpl::kClassName,
      .config = {{"num_attention_heads", heads},
                 {"attention_head_dim", width / heads},
                 {"in_channels", channels},
                 {"out_channels", out / (patch * patch)},
                 {"num_layers", depth},
                 {"attention_bias", has_bias},
                 {"sample_size", edge * patch},
                 {"patch_size", patch},
                 {"activation_fn", "gelu-approximate"},
                 {"num_embeds_ada_norm", num_classes(context, arguments, rows)},
                 {"norm_type", "ada_norm_zero"},
                 {"norm_elementwise_affine", false},
                 {"norm_eps", 1e-6},
                 {"freq_shift", 0}}};
  Rewriter rewriter(part, model.weights);
  rewriter.layer("x_embedder.proj", "pos_embed.proj");
  for (int64_t i = 0; i < depth; ++i)
    rewrite_block(rewriter, i, width, has_bias);
  rewriter.layer("final_layer.adaLN_modulation.1", "proj_out_1");
  rewriter.layer("final_layer.linear", "proj_out_2");
  for (const char* prefix :
       {"blocks.", "final_layer.", "x_embedder.", "t_embedder.", "y_embedder."})
    part.expect_all_used(prefix, model.class_name);
  note(context.where +
       ": freq_shift 0 in config.json keeps the frequencies of DiT's "
       "timesteps; diffusers does not know this key, and its outputs differ by "
       "some hundredths");
  return model;
}

}  // namespace calotype
