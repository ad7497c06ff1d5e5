#include "denoisers/dit_transformer2d_model.h"

#include <memory>

#include <fmt/format.h>
#include <torch/nn/init.h>
#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "denoisers/adaptive_norm.h"
#include "denoisers/dit_block.h"
#include "nn/activation.h"
#include "nn/patches.h"
#include "nn/sample_size.h"
#include "nn/transformer_block.h"

namespace calotype {
namespace {

constexpr const char* kDiT = "DiTTransformer2DModel";
constexpr double kNormOutEps = 1e-6;

/// The same folder under the name and with the keys of today.
ModelFolder from_former_class(const ModelFolder& folder) {
  // Only other models of that class obey these; a DiT has them as they are
  // here.
  static const Json kKeysOfOthers{
      {"attention_type", "default"},    {"caption_channels", nullptr},
      {"cross_attention_dim", nullptr}, {"double_self_attention", false},
      {"interpolation_scale", nullptr}, {"num_vector_embeds", nullptr},
      {"only_cross_attention", false},  {"use_additional_conditions", nullptr},
      {"use_linear_projection", false},
  };
  auto dit = folder;
  dit.class_name = DiTTransformer2DModelImpl::kClassName;
  for (const auto& item : kKeysOfOthers.items()) {
    const auto found = dit.config.find(item.key());
    if (found == dit.config.end()) continue;
    if (*found != item.value() && !found->is_null())
      throw ConfigError(fmt::format("{}: {} must be {} for a DiT, got {}",
                                    (folder.path / "config.json").string(),
                                    item.key(), json_text(item.value()),
                                    json_text(*found)));
    dit.config.erase(item.key());
  }
  return dit;
}

}  // namespace

void DiTTransformer2DModelConfig::validate() const {
  constexpr double kMany = 1 << 16;
  check_range(kDiT, "num_attention_heads", double(num_attention_heads), 1,
              1024);
  check_range(kDiT, "attention_head_dim", double(attention_head_dim), 1, kMany);
  check_range(kDiT, "in_channels", double(in_channels), 1, kMany);
  if (out_channels)
    check_range(kDiT, "out_channels", double(*out_channels), 1, kMany);
  check_range(kDiT, "num_layers", double(num_layers), 1, 1024);
  check_range(kDiT, "dropout", dropout, 0, 1);
  check_range(kDiT, "patch_size", double(patch_size), 1, 1024);
  check_range(kDiT, "sample_size", double(sample_size), double(patch_size),
              kMany);
  check_range(kDiT, "norm_eps", norm_eps, 0, 1);
  check_range(kDiT, "freq_shift", freq_shift, 0, 1);
  check_feed_forward(kDiT, activation_fn);
  check_one_of(kDiT, "norm_type", norm_type, {"ada_norm_zero"});
  if (!num_embeds_ada_norm)
    throw ConfigError(fmt::format(
        "{}: num_embeds_ada_norm must be a number of classes, 0 for none, got "
        "null",
        kDiT));
  check_range(kDiT, "num_embeds_ada_norm", double(*num_embeds_ada_norm), 0,
              1e7);
  if (width() % 4 != 0)
    throw ConfigError(fmt::format(
        "{}: num_attention_heads * attention_head_dim must be a multiple of 4, "
        "got {} * {}",
        kDiT, num_attention_heads, attention_head_dim));
}

DiTTransformer2DModelImpl::DiTTransformer2DModelImpl(
    const DiTTransformer2DModelConfig& config)
    : config_(config) {
  config.validate();
  const auto W = config.width(), p = config.patch_size;
  const auto pos_embed =
      register_module("pos_embed", std::make_shared<torch::nn::Module>());
  proj_ = pos_embed->register_module(
      "proj",
      Conv2d(torch::nn::Conv2dOptions(config.in_channels, W, p).stride(p)));
  const DiTBlockConfig block{
      .width = W,
      .num_heads = config.num_attention_heads,
      .class_rows = *config.num_embeds_ada_norm + 1,
      .attention_bias = config.attention_bias,
      .activation_fn = config.activation_fn,
      .dropout = config.dropout,
      .norm_elementwise_affine = config.norm_elementwise_affine,
      .norm_eps = config.norm_eps,
      .freq_shift = config.freq_shift};
  for (int64_t i = 0; i < config.num_layers; ++i)
    transformer_blocks_->push_back(DiTBlock(block));
  register_module("transformer_blocks", transformer_blocks_);
  proj_out_1_ = register_module("proj_out_1", Linear(W, 2 * W));
  const auto out = config.out_channels.value_or(config.in_channels);
  proj_out_2_ = register_module("proj_out_2", Linear(W, p * p * out));

  // As if it were the linear map of a flat patch (DiT, section 4).
  torch::nn::init::xavier_uniform_(proj_->weight.view({W, -1}));
  torch::nn::init::zeros_(proj_->bias);
  init_zero(proj_out_1_);
  init_zero(proj_out_2_);
}

torch::Tensor DiTTransformer2DModelImpl::positions(
    int64_t h, int64_t w, const torch::TensorOptions& options) {
  return grid_positions(config_.width(), h, w,
                        config_.sample_size / config_.patch_size)
      .to(options);
}

torch::Tensor DiTTransformer2DModelImpl::forward(
    const torch::Tensor& sample, const torch::Tensor& timestep,
    const torch::Tensor& class_labels) {
  check_shape(kDiT, "sample", sample, {-1, config_.in_channels, -1, -1});
  check_shape(kDiT, "timestep", timestep, {sample.size(0)});
  check_patches(kDiT, sample, config_.patch_size);
  const auto cells = proj_(sample);  // [N,W,h/p,w/p]
  const auto h = cells.size(2), w = cells.size(3);
  auto x = cells.flatten(2).transpose(1, 2) + positions(h, w, cells.options());
  for (const auto& block : *transformer_blocks_)
    x = block->as<DiTBlock>()->forward(x, timestep, class_labels);

  // The last norm follows the embedding of the first block, as in diffusers.
  const auto condition =
      transformer_blocks_[0]->as<DiTBlock>()->embed(timestep, class_labels);
  const auto m =
      proj_out_1_(activate(Activation::kSilu, condition)).chunk(2, 1);
  const auto tokens =
      proj_out_2_(modulate(plain_layer_norm(x, kNormOutEps), m[0], m[1]));
  return grid_of_patches(tokens, h, w, config_.patch_size);
}

void DiTTransformer2DModelImpl::fit(Json& keys, const LatentShape& latents) {
  fit_channels(keys, latents);
  set_default(keys, "sample_size", latents.grid_shape[1]);
  set_default(keys, "num_embeds_ada_norm", latents.num_classes);
}

DiTTransformer2DModel load_dit_transformer2d_model(const ModelFolder& folder) {
  auto dit = folder.class_name == DiTTransformer2DModelImpl::kFormerClassName
                 ? from_former_class(folder)
                 : folder;
  if (const auto size = dit.config.find("sample_size");
      size != dit.config.end())
    *size = square_sample_size(kDiT, *size);
  return load_model<DiTTransformer2DModel, DiTTransformer2DModelConfig>(dit);
}

}  // namespace calotype
