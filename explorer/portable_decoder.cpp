#include "explorer/portable_decoder.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "explorer/answers.h"
#include "vae/autoencoder.h"
#include "vae/autoencoder_kl.h"
#include "vqvae/vq_model.h"

namespace calotype {
namespace {

// A page multiplies about a billion numbers a second: a tenth of it is what one
// waits for while dragging.
constexpr double kMaxProducts = 1.5e8;
constexpr int64_t kMaxWeights = int64_t{1} << 21;

/// The steps so far, and what they come to.
class Steps {
 public:
  Steps(const torch::nn::Module& module, std::vector<int64_t> shape)
      : shape_(std::move(shape)) {
    for (const auto& item : module.named_parameters())
      weights_.insert(item.key(), item.value());
    for (const auto& item : module.named_buffers())
      weights_.insert(item.key(), item.value());
  }

  bool has(const std::string& name) const { return weights_.contains(name); }
  const at::Tensor& at(const std::string& name) const { return weights_[name]; }

  /// Whether a page can hold and run them.
  bool is_small() const {
    return products_ <= kMaxProducts && num_weights_ <= kMaxWeights;
  }

  void dense(const at::Tensor& weight, const at::Tensor& bias,
             std::vector<int64_t> shape) {
    shape_ = std::move(shape);
    add({{"do", "dense"}, {"shape", shape_}}, weight, bias, 1);
  }

  void conv(const std::string& name) {
    conv(at(name + ".weight"), at(name + ".bias"));
  }
  void conv(const at::Tensor& weight, const at::Tensor& bias) {
    shape_[0] = weight.size(0);
    add({{"do", "conv"},
         {"channels", {weight.size(1), weight.size(0)}},
         {"kernel", weight.size(2)}},
        weight, bias, num_pixels());
  }

  void doubling(const std::string& name) {
    const auto& weight = at(name + ".weight");
    // Four products for each pixel of the result.
    const auto products = num_pixels();
    shape_ = {weight.size(1), 2 * shape_[1], 2 * shape_[2]};
    add({{"do", "doubling"}, {"channels", {weight.size(0), weight.size(1)}}},
        weight, at(name + ".bias"), products);
  }

  void double_grid() {
    steps_.push_back({{"do", "double"}});
    shape_ = {shape_[0], 2 * shape_[1], 2 * shape_[2]};
  }

  void activate(const std::string& by) {
    steps_.push_back({{"do", "activate"}, {"by", by}});
  }

  void normalise(const std::string& name, int64_t groups) {
    add({{"do", "normalise"}, {"groups", groups}, {"eps", 1e-6}},
        at(name + ".weight"), at(name + ".bias"), 1);
  }

  void quantise(const std::string& name) {
    const auto& codebook = at(name);
    products_ += double(codebook.numel() * num_pixels());
    num_weights_ += codebook.numel();
    steps_.push_back({{"do", "quantise"}, {"codebook", packed(codebook)}});
  }

  /// diffusers' ResnetBlock2D without an embedding.
  void resnet(const std::string& name, int64_t groups, const std::string& by) {
    const auto before = shape_;
    auto outer = std::exchange(steps_, Json::array());
    normalise(name + ".norm1", groups);
    activate(by);
    conv(name + ".conv1");
    normalise(name + ".norm2", groups);
    activate(by);
    conv(name + ".conv2");
    auto way = std::exchange(steps_, Json::array());
    if (has(name + ".conv_shortcut.weight")) {
      shape_ = before;
      conv(name + ".conv_shortcut");
    }
    sum(std::move(outer), std::move(way));
  }

  /// diffusers' Attention of one head over all channels.
  void attention(const std::string& name, int64_t groups) {
    auto outer = std::exchange(steps_, Json::array());
    normalise(name + ".group_norm", groups);
    Json step{{"do", "attend"}};
    for (const auto& [key, part] :
         {std::pair{"query", "to_q"}, std::pair{"key", "to_k"},
          std::pair{"value", "to_v"}, std::pair{"out", "to_out.0"}}) {
      const auto& weight = at(fmt::format("{}.{}.weight", name, part));
      const auto& bias = at(fmt::format("{}.{}.bias", name, part));
      step[key] = {{"weight", packed(weight)}, {"bias", packed(bias)}};
      num_weights_ += weight.numel();
      products_ += double(weight.numel() * num_pixels());
    }
    products_ += 2. * double(num_pixels() * num_pixels() * shape_[0]);
    steps_.push_back(std::move(step));
    auto way = std::exchange(steps_, Json::array());
    sum(std::move(outer), std::move(way));
  }

  Json take() { return std::move(steps_); }

 private:
  int64_t num_pixels() const { return shape_[1] * shape_[2]; }

  void add(Json step, const at::Tensor& weight, const at::Tensor& bias,
           int64_t times) {
    products_ += double(weight.numel()) * double(times);
    num_weights_ += weight.numel() + bias.numel();
    step["weight"] = packed(weight);
    step["bias"] = packed(bias);
    steps_.push_back(std::move(step));
  }

  /// What `steps_` holds is the shortcut.
  void sum(Json outer, Json way) {
    auto shortcut = std::exchange(steps_, std::move(outer));
    steps_.push_back({{"do", "add"},
                      {"way", std::move(way)},
                      {"shortcut", std::move(shortcut)}});
  }

  torch::OrderedDict<std::string, at::Tensor> weights_;
  Json steps_ = Json::array();
  std::vector<int64_t> shape_;
  double products_ = 0;
  int64_t num_weights_ = 0;
};

void dense_network(Steps& steps, const CalotypeAutoencoderConfig& config) {
  const auto num_layers = int64_t(config.hidden.size()) + 1;
  for (int64_t i = 0; i < num_layers; ++i) {
    const auto matrix =
        config.tied
            ? steps.at(fmt::format("encoder.{}.weight", num_layers - 1 - i)).t()
            : steps.at(fmt::format("decoder.{}.weight", i));
    const auto& bias =
        steps.at(config.tied ? fmt::format("decoder.bias_{}", i)
                             : fmt::format("decoder.{}.bias", i));
    if (i + 1 == num_layers) {
      steps.dense(matrix, bias,
                  {config.in_channels, config.sample_size, config.sample_size});
    } else {
      steps.dense(matrix, bias, {matrix.size(0), 1, 1});
      steps.activate(config.act_fn);
    }
  }
}

void conv_network(Steps& steps, const CalotypeAutoencoderConfig& config) {
  // A transposed convolution of one cell: with a kernel of one pixel the same
  // map for each cell, else a map to the whole grid.
  const auto& weight = steps.at("decoder.code.weight");  // [D,C,edge,edge]
  const auto& bias = steps.at("decoder.code.bias");
  const auto channels = weight.size(1), edge = weight.size(2);
  if (config.code_grid)
    steps.conv(weight.transpose(0, 1), bias);
  else
    steps.dense(weight.flatten(1).t(), bias.repeat_interleave(edge * edge),
                {channels, edge, edge});
  steps.activate(config.act_fn);
  for (size_t i = 0; i < config.hidden.size(); ++i) {
    steps.doubling(fmt::format("decoder.conv_{}", i));
    steps.activate(config.act_fn);
  }
  steps.conv("decoder.conv_out");
}

/// post_quant_conv and the decoder of nn/encoder_decoder.h.
template <class Config>
void conv_decoder(Steps& steps, const Config& config) {
  const auto groups = config.norm_num_groups;
  const auto& by = config.act_fn;
  if (steps.has("post_quant_conv.weight")) steps.conv("post_quant_conv");
  steps.conv("decoder.conv_in");
  steps.resnet("decoder.mid_block.resnets.0", groups, by);
  if (config.mid_block_add_attention)
    steps.attention("decoder.mid_block.attentions.0", groups);
  steps.resnet("decoder.mid_block.resnets.1", groups, by);
  const auto num_levels = config.block_out_channels.size();
  for (size_t level = 0; level < num_levels; ++level) {
    const auto name = fmt::format("decoder.up_blocks.{}", level);
    for (int64_t i = 0; i <= config.layers_per_block; ++i) {
      steps.resnet(fmt::format("{}.resnets.{}", name, i), groups, by);
      if (config.up_block_types[level].starts_with("Attn"))
        steps.attention(fmt::format("{}.attentions.{}", name, i), groups);
    }
    if (level + 1 == num_levels) continue;
    steps.double_grid();
    steps.conv(name + ".upsamplers.0.conv");
  }
  steps.normalise("decoder.conv_norm_out", groups);
  steps.activate(by);
  steps.conv("decoder.conv_out");
}

/// Whether a code is the nearest row of one codebook, and does nothing else.
bool has_plain_codebook(const VQModelConfig& config) {
  const auto& kind = config.quantizer.kind;
  return (kind == "learned" || kind == "ema") &&
         config.quantizer.code_dim == 0 && config.norm_type == "group";
}

}  // namespace

std::optional<Json> portable_decoder(const LoadedCodec& codec,
                                     const std::vector<int64_t>& code_shape) {
  const c10::InferenceMode inference;
  auto* const module = &codec.codec->module();
  Steps steps(*module, code_shape);
  std::string output = "none";
  if (const auto* family = dynamic_cast<CalotypeAutoencoderImpl*>(module)) {
    const auto& config = family->config();
    if (config.network == "dense")
      dense_network(steps, config);
    else if (config.network == "conv")
      conv_network(steps, config);
    else
      return {};
    if (family->reconstruction() == Reconstruction::kBce) output = "sigmoid";
  } else if (const auto* vae = dynamic_cast<AutoencoderKLImpl*>(module)) {
    conv_decoder(steps, vae->config());
  } else if (const auto* vq = dynamic_cast<VQModelImpl*>(module);
             vq && has_plain_codebook(vq->config())) {
    steps.quantise("quantize.embedding.weight");
    conv_decoder(steps, vq->config());
  } else {
    return {};
  }
  if (!steps.is_small()) return {};
  return Json{{"steps", steps.take()}, {"output", output}};
}

}  // namespace calotype
