#include "nn/fid_inception.h"

#include <fmt/format.h>

#include <array>

#include <torch/utils.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/batch_invariant.h"
#include "nn/checkpoint.h"

namespace calotype {
namespace {

constexpr double kNormEps = 1e-3;

/// A convolution, normalised, with ReLU; or a pooling.
struct Layer {
  enum Kind { kConv, kAvgPool, kMaxPool } kind = kConv;
  std::string name;  // of its tensors, below the block's
  int64_t out = 0;   // channels
  int64_t height = 1, width = 1, stride = 1;
  bool same = true;  // padded so that a stride of 1 keeps the size
};

/// Layers one after the other; then, if there are `ends`, those side by side.
struct Branch {
  std::vector<Layer> layers, ends;
};

/// Branches side by side, their channels one after the other.
struct Block {
  std::string name;
  std::vector<Branch> branches;
};

Layer conv(const char* name, int64_t out, int64_t height = 1,
           int64_t width = 1) {
  return {.name = name, .out = out, .height = height, .width = width};
}

/// Of 3x3, without padding.
Layer unpadded(const char* name, int64_t out, int64_t stride) {
  auto layer = conv(name, out, 3, 3);
  layer.stride = stride;
  layer.same = false;
  return layer;
}

Layer pool(Layer::Kind kind) {
  return {.kind = kind, .height = 3, .width = 3};
}

Layer halving_pool() {
  auto layer = pool(Layer::kMaxPool);
  layer.stride = 2;
  layer.same = false;
  return layer;
}

Block stem() {
  return {"",
          {{{unpadded("Conv2d_1a_3x3", 32, 2), unpadded("Conv2d_2a_3x3", 32, 1),
             conv("Conv2d_2b_3x3", 64, 3, 3), halving_pool(),
             conv("Conv2d_3b_1x1", 80), unpadded("Conv2d_4a_3x3", 192, 1),
             halving_pool()},
            {}}}};
}

Block block_a(const char* name, int64_t pooled) {
  return {name,
          {{{conv("branch1x1", 64)}, {}},
           {{conv("branch5x5_1", 48), conv("branch5x5_2", 64, 5, 5)}, {}},
           {{conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3, 3),
             conv("branch3x3dbl_3", 96, 3, 3)},
            {}},
           {{pool(Layer::kAvgPool), conv("branch_pool", pooled)}, {}}}};
}

Block block_b(const char* name) {
  return {name,
          {{{unpadded("branch3x3", 384, 2)}, {}},
           {{conv("branch3x3dbl_1", 64), conv("branch3x3dbl_2", 96, 3, 3),
             unpadded("branch3x3dbl_3", 96, 2)},
            {}},
           {{halving_pool()}, {}}}};
}

Block block_c(const char* name, int64_t inner) {
  return {name,
          {{{conv("branch1x1", 192)}, {}},
           {{conv("branch7x7_1", inner), conv("branch7x7_2", inner, 1, 7),
             conv("branch7x7_3", 192, 7, 1)},
            {}},
           {{conv("branch7x7dbl_1", inner), conv("branch7x7dbl_2", inner, 7, 1),
             conv("branch7x7dbl_3", inner, 1, 7),
             conv("branch7x7dbl_4", inner, 7, 1),
             conv("branch7x7dbl_5", 192, 1, 7)},
            {}},
           {{pool(Layer::kAvgPool), conv("branch_pool", 192)}, {}}}};
}

Block block_d(const char* name) {
  return {
      name,
      {{{conv("branch3x3_1", 192), unpadded("branch3x3_2", 320, 2)}, {}},
       {{conv("branch7x7x3_1", 192), conv("branch7x7x3_2", 192, 1, 7),
         conv("branch7x7x3_3", 192, 7, 1), unpadded("branch7x7x3_4", 192, 2)},
        {}},
       {{halving_pool()}, {}}}};
}

Block block_e(const char* name, Layer::Kind pooling) {
  return {name,
          {{{conv("branch1x1", 320)}, {}},
           {{conv("branch3x3_1", 384)},
            {conv("branch3x3_2a", 384, 1, 3), conv("branch3x3_2b", 384, 3, 1)}},
           {{conv("branch3x3dbl_1", 448), conv("branch3x3dbl_2", 384, 3, 3)},
            {conv("branch3x3dbl_3a", 384, 1, 3),
             conv("branch3x3dbl_3b", 384, 3, 1)}},
           {{pool(pooling), conv("branch_pool", 192)}, {}}}};
}

const std::vector<Block>& blocks() {
  static const std::vector<Block> all{
      stem(),
      block_a("Mixed_5b.", 32),
      block_a("Mixed_5c.", 64),
      block_a("Mixed_5d.", 64),
      block_b("Mixed_6a."),
      block_c("Mixed_6b.", 128),
      block_c("Mixed_6c.", 160),
      block_c("Mixed_6d.", 160),
      block_c("Mixed_6e.", 192),
      block_d("Mixed_7a."),
      block_e("Mixed_7b.", Layer::kAvgPool),
      block_e("Mixed_7c.", Layer::kMaxPool),  // pytorch-fid's FIDInceptionE_2
  };
  return all;
}

/// Tensors of a file, of the shapes that they must have.
class Taken {
 public:
  Taken(const TensorFile& file, const std::string& where)
      : file_(file), where_(where) {}

  at::Tensor operator()(const std::string& name,
                        const std::vector<int64_t>& shape) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end())
      throw DataError(
          fmt::format("{}: {} is missing, which pytorch-fid's Inception has",
                      where_, name));
    if (found->second.sizes() != shape)
      throw DataError(fmt::format("{}: {} must be {}, got {}", where_, name,
                                  shape_text(shape),
                                  shape_text(found->second.sizes())));
    return found->second.to(torch::kDouble);
  }

 private:
  const TensorFile& file_;
  const std::string& where_;
};

at::Tensor apply(const Layer& layer, const std::string& block,
                 const std::map<std::string, at::Tensor>& weights,
                 const at::Tensor& x) {
  const std::array<int64_t, 2> size{layer.height, layer.width};
  const std::array<int64_t, 2> stride{layer.stride, layer.stride};
  std::array<int64_t, 2> padding{0, 0};
  if (layer.same) padding = {layer.height / 2, layer.width / 2};
  if (layer.kind == Layer::kAvgPool)
    return torch::avg_pool2d(x, size, stride, padding, /*ceil_mode=*/false,
                             /*count_include_pad=*/false);
  if (layer.kind == Layer::kMaxPool)
    return torch::max_pool2d(x, size, stride, padding);
  const auto name = block + layer.name;
  return invariant_conv2d(x, weights.at(name + ".weight"),
                          weights.at(name + ".bias"),
                          {.stride = stride, .padding = padding})
      .relu_();
}

}  // namespace

FidInception::FidInception(const TensorFile& file, const std::string& where) {
  const Taken take(file, where);
  // y = gain (conv(x) - mean) + bias is a convolution again.
  const auto fold = [&](const std::string& name, const Layer& layer,
                        int64_t in) {
    const auto vector = [&](const char* key) {
      return take(name + ".bn." + key, {layer.out});
    };
    const auto gain =
        vector("weight") / (vector("running_var") + kNormEps).sqrt();
    const auto weight =
        take(name + ".conv.weight", {layer.out, in, layer.height, layer.width});
    weights_[name + ".weight"] =
        (weight * gain.view({-1, 1, 1, 1})).to(torch::kFloat);
    weights_[name + ".bias"] =
        (vector("bias") - vector("running_mean") * gain).to(torch::kFloat);
    return layer.out;
  };
  int64_t channels = 3;
  for (const auto& block : blocks()) {
    int64_t together = 0;
    for (const auto& branch : block.branches) {
      int64_t in = channels;
      for (const auto& layer : branch.layers)
        if (layer.kind == Layer::kConv)
          in = fold(block.name + layer.name, layer, in);
      for (const auto& end : branch.ends)
        together += fold(block.name + end.name, end, in);
      if (branch.ends.empty()) together += in;
    }
    channels = together;
  }
  if (!file.tensors.contains("fc.weight")) return;
  weights_["fc.weight"] =
      take("fc.weight", {kLogits, kFeatures}).to(torch::kFloat);
}

at::Tensor FidInception::features(const at::Tensor& images) const {
  if (images.dim() != 4 || (images.size(1) != 1 && images.size(1) != 3) ||
      images.numel() == 0)
    throw ShapeError(
        fmt::format("FidInception: images must be [N,1|3,H,W], got {}",
                    shape_text(images.sizes())));
  const torch::NoGradGuard no_grad;
  auto x = torch::upsample_bilinear2d(images.expand({-1, 3, -1, -1}),
                                      {kEdge, kEdge}, /*align_corners=*/false);
  for (const auto& block : blocks()) {
    std::vector<at::Tensor> parts;
    for (const auto& branch : block.branches) {
      auto y = x;
      for (const auto& layer : branch.layers)
        y = apply(layer, block.name, weights_, y);
      for (const auto& end : branch.ends)
        parts.push_back(apply(end, block.name, weights_, y));
      if (branch.ends.empty()) parts.push_back(y);
    }
    x = parts.size() == 1 ? parts.front() : torch::cat(parts, 1);
  }
  return x.mean({2, 3});
}

at::Tensor FidInception::logits(const at::Tensor& features) const {
  check_shape("FidInception", "features", features, {-1, kFeatures});
  if (!has_logits())
    throw ConfigError(
        "FidInception: the weights have no fc, which the inception score "
        "needs");
  const torch::NoGradGuard no_grad;
  return invariant_linear(features, weights_.at("fc.weight"), {});
}

void FidInception::to(c10::Device device) {
  for (auto& item : weights_) item.second = item.second.to(device);
}

FidInception load_fid_inception(const std::filesystem::path& path) {
  return FidInception(read_state_dict(path), path.string());
}

}  // namespace calotype
