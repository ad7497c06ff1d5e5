#include "vae/masked_network.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/random.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

std::vector<TransformerBlock> make_blocks(torch::nn::Module& parent,
                                          const char* name, int64_t count,
                                          const TransformerBlockConfig& c) {
  const auto list = parent.register_module(name, torch::nn::ModuleList());
  std::vector<TransformerBlock> blocks;
  for (int64_t i = 0; i < count; ++i) {
    blocks.emplace_back(c);
    list->push_back(blocks.back());
  }
  return blocks;
}

at::Tensor run(std::vector<TransformerBlock>& blocks, at::Tensor x) {
  for (auto& block : blocks) x = block(x);
  return x;
}

/// Rows `index` [N,V] of `tokens` [N,L,W] (or [1,L,W]): [N,V,W].
at::Tensor pick(const at::Tensor& tokens, const at::Tensor& index) {
  const auto width = tokens.size(2);
  return tokens.expand({index.size(0), -1, -1})
      .gather(1, index.unsqueeze(2).expand({-1, -1, width}));
}

}  // namespace

MaskedNetwork::MaskedNetwork(const MaskedNetworkConfig& config)
    : config_(config), grid_(config.sample_size / config.patch_size) {
  namespace nn = torch::nn;
  const auto p = config.patch_size;
  if (config.sample_size % p != 0)
    throw ConfigError(
        fmt::format("CalotypeAutoencoder: sample_size must be a multiple of "
                    "patch_size, got {} and {}",
                    config.sample_size, p));
  const auto encoder =
      register_module("encoder", std::make_shared<nn::Module>());
  const auto patch_embed =
      encoder->register_module("patch_embed", std::make_shared<nn::Module>());
  patch_proj_ = patch_embed->register_module(
      "proj",
      Conv2d(
          nn::Conv2dOptions(config.image_channels, config.width, p).stride(p)));
  blocks_ = make_blocks(*encoder, "blocks", config.num_layers,
                        {.width = config.width, .num_heads = config.num_heads});
  norm_ = encoder->register_module("norm", transformer_norm(config.width));
  code_ = encoder->register_module("code",
                                   Linear(config.width, config.code_channels));

  const auto decoder =
      register_module("decoder", std::make_shared<nn::Module>());
  decoder_embed_ = decoder->register_module(
      "decoder_embed", Linear(config.code_channels, config.decoder_width));
  mask_token_ = decoder->register_parameter(
      "mask_token", 0.02 * torch::randn({1, 1, config.decoder_width}));
  decoder_blocks_ = make_blocks(
      *decoder, "decoder_blocks", config.decoder_layers,
      {.width = config.decoder_width, .num_heads = config.num_heads});
  decoder_norm_ = decoder->register_module(
      "decoder_norm", transformer_norm(config.decoder_width));
  decoder_pred_ = decoder->register_module(
      "decoder_pred",
      Linear(config.decoder_width, config.image_channels * p * p));
  // Constants of the grid: neither trained nor saved.
  positions_ = grid_positions(config.width, grid_, grid_);
  decoder_positions_ = grid_positions(config.decoder_width, grid_, grid_);
}

at::Tensor MaskedNetwork::tokens(const at::Tensor& images) {
  check_shape(
      "CalotypeAutoencoder", "images", images,
      {-1, config_.image_channels, config_.sample_size, config_.sample_size});
  const auto patches = patch_proj_(images).flatten(2).transpose(1, 2);
  return patches + positions_.to(patches.device());
}

at::Tensor MaskedNetwork::codes(at::Tensor tokens) {
  return code_(norm_(run(blocks_, std::move(tokens))));
}

at::Tensor MaskedNetwork::pixels(at::Tensor tokens) {
  const auto placed = tokens + decoder_positions_.to(tokens.device());
  const auto p = config_.patch_size, C = config_.image_channels;
  return decoder_pred_(decoder_norm_(run(decoder_blocks_, placed)))
      .view({-1, grid_, grid_, C, p, p})
      .permute({0, 3, 1, 4, 2, 5})  // [N,C,h,p,w,p]
      .reshape({-1, C, grid_ * p, grid_ * p});
}

at::Tensor MaskedNetwork::encode(const at::Tensor& images) {
  const auto code = codes(tokens(images));  // [N,L,D]
  return code.transpose(1, 2).reshape(
      {code.size(0), config_.code_channels, grid_, grid_});
}

at::Tensor MaskedNetwork::decode(const at::Tensor& code) {
  check_shape("CalotypeAutoencoder", "code", code,
              {-1, config_.code_channels, grid_, grid_});
  return pixels(decoder_embed_(code.flatten(2).transpose(1, 2)));
}

at::Tensor MaskedNetwork::complete(const at::Tensor& images,
                                   const at::Tensor& visible) {
  return in_slices(
      *this, {images, visible}, [this](const std::vector<at::Tensor>& inputs) {
        const auto seen =
            decoder_embed_(codes(pick(tokens(inputs[0]), inputs[1])));
        const auto index =
            inputs[1].unsqueeze(2).expand({-1, -1, config_.decoder_width});
        return pixels(
            mask_token_
                .expand({seen.size(0), num_patches(), config_.decoder_width})
                .scatter(1, index, seen.to(mask_token_.scalar_type())));
      });
}

at::Tensor visible_patches(int64_t num_patches, double hidden_share,
                           const at::Tensor& samples, uint64_t seed,
                           int64_t step) {
  const auto count = std::max<int64_t>(
      1, std::llround((1 - hidden_share) * double(num_patches)));
  const auto order =
      uniform_rows({num_patches}, samples, seed, Stream::kMask, uint32_t(step))
          .argsort(int64_t{1});
  return std::get<0>(order.narrow(1, 0, count).sort(1));
}

}  // namespace calotype
