#include "denoisers/calotype_dit.h"

#include <torch/nn/init.h>
#include <torch/types.h>

#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "denoisers/adaptive_norm.h"
#include "denoisers/calotype_dit_block.h"
#include "nn/activation.h"
#include "nn/patches.h"

namespace calotype {
namespace {

constexpr const char* kCalotypeDiT = CalotypeDiTImpl::kClassName;

}  // namespace

int64_t CalotypeDiTConfig::mlp_hidden() const {
  constexpr int64_t kMultiple = 8;
  const auto wanted = mlp_ratio * double(hidden_size) * 2 / 3;
  return int64_t(std::ceil(wanted / kMultiple)) * kMultiple;
}

void CalotypeDiTConfig::validate() const {
  constexpr double kMany = 1 << 16;
  check_range(kCalotypeDiT, "in_channels", double(in_channels), 1, kMany);
  check_range(kCalotypeDiT, "out_channels", double(out_channels), 1, kMany);
  check_range(kCalotypeDiT, "patch_size", double(patch_size), 1, 1024);
  check_range(kCalotypeDiT, "hidden_size", double(hidden_size), 4, kMany);
  check_range(kCalotypeDiT, "num_layers", double(num_layers), 1, 1024);
  check_range(kCalotypeDiT, "num_attention_heads", double(num_attention_heads),
              1, 1024);
  check_range(kCalotypeDiT, "mlp_ratio", mlp_ratio, 0.01, 64);
  check_range(kCalotypeDiT, "num_classes", double(num_classes), 0, 1e7);
  check_range(kCalotypeDiT, "rotary_base", rotary_base, 1, 1e9);
  check_range(kCalotypeDiT, "norm_eps", norm_eps, 0, 1);
  if (hidden_size % (4 * num_attention_heads) != 0)
    throw ConfigError(fmt::format(
        "{}: hidden_size must be a multiple of 4 * num_attention_heads, got {} "
        "with {} heads",
        kCalotypeDiT, hidden_size, num_attention_heads));
}

CalotypeDiTImpl::CalotypeDiTImpl(const CalotypeDiTConfig& config)
    : config_(config) {
  config.validate();
  const auto W = config.hidden_size, p = config.patch_size;
  patch_embed_ = register_module(
      "patch_embed",
      Conv2d(torch::nn::Conv2dOptions(config.in_channels, W, p).stride(p)));
  condition_ = register_module(
      "condition", TimeClassEmbedding(
                       W, config.num_classes > 0 ? config.num_classes + 1 : 0));
  for (int64_t i = 0; i < config.num_layers; ++i)
    blocks_->push_back(CalotypeDiTBlock(
        CalotypeDiTBlockConfig{.width = W,
                               .num_heads = config.num_attention_heads,
                               .mlp_hidden = config.mlp_hidden(),
                               .norm_eps = config.norm_eps}));
  register_module("blocks", blocks_);
  modulation_out_ = register_module("modulation_out", Linear(W, 2 * W));
  proj_out_ =
      register_module("proj_out", Linear(W, p * p * config.out_channels));

  torch::nn::init::xavier_uniform_(patch_embed_->weight.view({W, -1}));
  torch::nn::init::zeros_(patch_embed_->bias);
  init_zero(modulation_out_);
  init_zero(proj_out_);
}

torch::Tensor CalotypeDiTImpl::forward(const torch::Tensor& sample,
                                       const torch::Tensor& timestep,
                                       const torch::Tensor& class_labels) {
  check_shape(kCalotypeDiT, "sample", sample,
              {-1, config_.in_channels, -1, -1});
  check_shape(kCalotypeDiT, "timestep", timestep, {sample.size(0)});
  check_patches(kCalotypeDiT, sample, config_.patch_size);
  const auto cells = patch_embed_(sample);  // [N,W,h/p,w/p]
  const auto h = cells.size(2), w = cells.size(3);
  const auto places =
      grid_rotary(config_.hidden_size / config_.num_attention_heads, h, w,
                  config_.rotary_base, cells.options());
  const auto condition =
      activate(Activation::kSilu, condition_(timestep, class_labels));
  auto x = cells.flatten(2).transpose(1, 2);
  for (const auto& block : *blocks_)
    x = block->as<CalotypeDiTBlock>()->forward(x, condition, places);
  const auto m = modulation_out_(condition).chunk(2, 1);
  const auto tokens =
      proj_out_(modulate(rms_norm(x, config_.norm_eps), m[0], m[1]));
  return grid_of_patches(tokens, h, w, config_.patch_size);
}

void CalotypeDiTImpl::fit(Json& keys, const LatentShape& latents) {
  fit_channels(keys, latents);
  set_default(keys, "num_classes", latents.num_classes);
}

CalotypeDiT load_calotype_dit(const ModelFolder& folder) {
  return load_model<CalotypeDiT, CalotypeDiTConfig>(folder);
}

}  // namespace calotype
