#include "models/convert/ldm_unet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/error.h"
#include "core/note.h"
#include "denoisers/unet2d_model.h"
#include "models/convert/ldm_unet_shape.h"
#include "models/convert/rewriter.h"

namespace calotype {
namespace {

std::set<int64_t> widths_with_attention(const UnetShape& shape) {
  std::set<int64_t> widths{shape.down.back().width};  // the middle's
  for (const auto* way : {&shape.down, &shape.up})
    for (const auto& level : *way)
      if (level.blocks.front().has_attention) widths.insert(level.width);
  return widths;
}

/// Channels of a head where the number of heads is given: of all levels the
/// same, as UNet2DModel has it.
int64_t channels_of_heads(const ConvertContext& context, const UnetShape& shape,
                          int64_t num_heads) {
  if (num_heads < 1)
    throw ConfigError(
        fmt::format("{}: the number of heads must be at least 1, "
                    "got {}",
                    context.where, num_heads));
  const auto widths = widths_with_attention(shape);
  if (widths.size() > 1)
    refuse_variant(context,
                   fmt::format("with {} heads at widths of {} and {}, so that "
                               "heads have several sizes",
                               num_heads, *widths.begin(), *widths.rbegin()));
  return *widths.begin() / num_heads;
}

int64_t head_channels(const ConvertContext& context, const Json& arguments,
                      const UnetShape& shape) {
  const auto where = context.project_where();
  const auto& options = context.options;
  if (options.head_channels) return *options.head_channels;
  if (options.heads) return channels_of_heads(context, shape, *options.heads);
  // -1 is how the project says that the other one counts.
  const auto of_head = whole_at(arguments, {"num_head_channels"}, where);
  if (of_head && *of_head > 0) return *of_head;
  const auto heads = whole_at(arguments, {"num_heads"}, where);
  if (const auto above = whole_at(arguments, {"num_heads_upsample"}, where);
      heads && above && *above > 0 && *above != *heads)
    refuse_variant(context, "with other numbers of heads on the way up");
  if (heads && *heads > 0) return channels_of_heads(context, shape, *heads);
  throw ConfigError(fmt::format(
      "{}: how the U-Net's attention is divided into heads is not in the file; "
      "its configuration says it (--config), or --head-channels or --heads",
      context.where));
}

class UnetRewriter {
 public:
  UnetRewriter(SourcePart& part, TensorFile& to, int64_t channels_of_head,
               bool heads_first)
      : rewriter_(part, to),
        channels_of_head_(channels_of_head),
        heads_first_(heads_first) {}

  Rewriter& rewriter() { return rewriter_; }

  void block(const std::string& from, const std::string& to) {
    rewriter_.layer(from + "in_layers.0", to + "norm1");
    rewriter_.layer(from + "in_layers.2", to + "conv1");
    rewriter_.layer(from + "emb_layers.1", to + "time_emb_proj");
    rewriter_.layer(from + "out_layers.0", to + "norm2");
    rewriter_.layer(from + "out_layers.3", to + "conv2");
    if (rewriter_.source().has(from + "skip_connection.weight"))
      rewriter_.layer(from + "skip_connection", to + "conv_shortcut");
  }

  void attention(const std::string& from, const std::string& to) {
    rewriter_.layer(from + "norm", to + "group_norm");
    rewriter_.linear(from + "proj_out", to + "to_out.0");
    const auto weight = rewriter_.source().take(from + "qkv.weight");
    const auto bias = rewriter_.source().take(from + "qkv.bias");
    const auto rows = weight.dim() > 0 ? weight.size(0) : 0;
    if (rows == 0 || rows % (3 * channels_of_head_) != 0 ||
        weight.numel() != rows * (rows / 3) || bias.numel() != rows)
      throw DataError(fmt::format(
          "{}: {}qkv.weight must be [3 C, C, 1] with heads of {} channels, got "
          "{}",
          rewriter_.source().where(), from, channels_of_head_,
          shape_text(weight.sizes())));
    const auto weights = parts_of(weight.reshape({rows, rows / 3}));
    const auto biases = parts_of(bias);
    for (size_t i = 0; i < 3; ++i) {
      const auto name =
          to + std::vector<std::string>{"to_q", "to_k", "to_v"}[i];
      rewriter_.set(name + ".weight", weights[i]);
      rewriter_.set(name + ".bias", biases[i]);
    }
  }

 private:
  /// Rows of queries, keys and values: q, k, v of each head in turn, or with
  /// the "new" order all of q, then k, then v.
  std::vector<at::Tensor> parts_of(const at::Tensor& rows) {
    const auto C = rows.size(0) / 3;
    if (!heads_first_) return rows.split(C, 0);
    auto shape = rows.sizes().vec();
    shape[0] = C;
    const auto by_head = rows.reshape(
        {C / channels_of_head_, 3, channels_of_head_, rows.numel() / (3 * C)});
    std::vector<at::Tensor> parts;
    for (int64_t i = 0; i < 3; ++i)
      parts.push_back(by_head.select(1, i).reshape(shape));
    return parts;
  }

  Rewriter rewriter_;
  int64_t channels_of_head_;
  bool heads_first_;
};

void rewrite_way(UnetRewriter& unet, const std::vector<UnetLevel>& levels,
                 bool is_down) {
  for (size_t i = 0; i < levels.size(); ++i) {
    const auto to = fmt::format("{}_blocks.{}.", is_down ? "down" : "up", i);
    for (size_t j = 0; j < levels[i].blocks.size(); ++j) {
      const auto& block = levels[i].blocks[j];
      unet.block(block.prefix + "0.", fmt::format("{}resnets.{}.", to, j));
      if (block.has_attention)
        unet.attention(block.prefix + "1.",
                       fmt::format("{}attentions.{}.", to, j));
    }
    if (!levels[i].resampling.empty())
      unet.rewriter().layer(
          levels[i].resampling,
          to + (is_down ? "downsamplers.0.conv" : "upsamplers.0.conv"));
  }
}

Json block_types(const std::vector<UnetLevel>& levels, const char* direction) {
  Json types = Json::array();
  for (const auto& level : levels)
    types.push_back(fmt::format(
        "{}{}Block2D", level.blocks.front().has_attention ? "Attn" : "",
        direction));
  return types;
}

void check_arguments(const ConvertContext& context, const Json& arguments) {
  if (flag_at(arguments, {"resblock_updown"}))
    refuse_variant(context, "whose U-Net halves the grid in residual blocks");
  if (flag_at(arguments, {"conv_resample"}, true) == false)
    refuse_variant(context, "whose U-Net halves the grid by averaging");
  const auto dims = value_at(arguments, {"dims"});
  if (dims.is_number() && dims != 2)
    refuse_variant(context, "whose U-Net is not of images");
}

}  // namespace

ConvertedModel convert_ldm_unet(const ConvertContext& context,
                                const Json& arguments, SourcePart part) {
  check_arguments(context, arguments);
  const auto where = context.project_where();
  const auto shape = read_unet_shape(context, part);
  const auto of_head = head_channels(context, arguments, shape);
  std::vector<int64_t> widths;
  for (const auto& level : shape.down) widths.push_back(level.width);
  expect_agrees(context, "unet_config.model_channels",
                whole_at(arguments, {"model_channels"}, where), widths[0]);
  expect_agrees(context, "unet_config.num_res_blocks",
                whole_at(arguments, {"num_res_blocks"}, where),
                int64_t(shape.down[0].blocks.size()));

  part.expect_shape("input_blocks.0.0.weight",
                    {widths[0], part.size("input_blocks.0.0.weight", 1), 3, 3});
  part.expect_shape("out.2.weight",
                    {part.size("out.2.weight", 0), widths[0], 3, 3});

  const auto size = context.options.sample_size
                        ? context.options.sample_size
                        : whole_at(arguments, {"image_size"}, where);
  if (!size)
    note(context.where +
         ": the size of its latents is not in the file; sample_size of the "
         "U-Net is null (--sample-size)");
  ConvertedModel model{
      .class_name = UNet2DModelImpl::kClassName,
      .config = {{"sample_size", size ? Json(*size) : Json()},
                 {"in_channels", part.size("input_blocks.0.0.weight", 1)},
                 {"out_channels", part.size("out.2.weight", 0)},
                 {"center_input_sample", false},
                 {"time_embedding_type", "positional"},
                 {"freq_shift", 0},
                 {"flip_sin_to_cos", true},
                 {"down_block_types", block_types(shape.down, "Down")},
                 {"up_block_types", block_types(shape.up, "Up")},
                 {"block_out_channels", widths},
                 {"layers_per_block", shape.down[0].blocks.size()},
                 {"mid_block_scale_factor", 1},
                 {"downsample_padding", 1},
                 {"act_fn", "silu"},
                 {"attention_head_dim", of_head},
                 {"norm_num_groups", 32},
                 {"norm_eps", 1e-5},
                 {"resnet_time_scale_shift",
                  shape.scale_shift ? "scale_shift" : "default"},
                 {"add_attention", true}}};
  // diffusers leaves the norm of the middle's attention out otherwise.
  if (shape.scale_shift) model.config["attn_norm_num_groups"] = 32;

  UnetRewriter unet(part, model.weights, of_head,
                    !flag_at(arguments, {"use_new_attention_order"}));
  auto& rewriter = unet.rewriter();
  rewriter.layer("input_blocks.0.0", "conv_in");
  rewriter.layer("time_embed.0", "time_embedding.linear_1");
  rewriter.layer("time_embed.2", "time_embedding.linear_2");
  if (part.has("label_emb.weight")) {
    part.expect_shape("label_emb.weight",
                      {part.size("label_emb.weight", 0), 4 * widths[0]});
    model.config["num_class_embeds"] = part.size("label_emb.weight", 0);
    rewriter.tensor("label_emb.weight", "class_embedding.weight");
  }
  rewrite_way(unet, shape.down, true);
  unet.block("middle_block.0.", "mid_block.resnets.0.");
  unet.attention("middle_block.1.", "mid_block.attentions.0.");
  unet.block("middle_block.2.", "mid_block.resnets.1.");
  rewrite_way(unet, shape.up, false);
  rewriter.layer("out.0", "conv_norm_out");
  rewriter.layer("out.2", "conv_out");
  part.expect_all_used("", model.class_name);
  return model;
}

}  // namespace calotype
