#include "nn/lpips.h"

#include <fmt/format.h>

#include <utility>

#include <torch/types.h>

#include "core/check.h"
#include "core/error.h"
#include "nn/batch_invariant.h"
#include "nn/lpips_layers.h"
#include "nn/lpips_weights.h"
#include "nn/precision.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

/// Name below "net." and shape of every convolution of a layer that has `in`
/// channels before it.
std::vector<std::pair<std::string, std::vector<int64_t>>> convolutions(
    const SliceLayer& layer, int64_t in) {
  const std::string name = layer.name;
  if (layer.kind == SliceLayer::kConv)
    return {{name, {layer.out, in, layer.kernel, layer.kernel}}};
  if (layer.kind == SliceLayer::kFire)
    return {{name + ".squeeze", {layer.in, in, 1, 1}},
            {name + ".expand1x1", {layer.out, layer.in, 1, 1}},
            {name + ".expand3x3", {layer.out, layer.in, 3, 3}}};
  return {};
}

int64_t channels_after(const SliceLayer& layer, int64_t in) {
  if (layer.kind == SliceLayer::kMaxPool) return in;
  return layer.kind == SliceLayer::kFire ? 2 * layer.out : layer.out;
}

}  // namespace

Lpips::Lpips(const TensorFile& file, const std::string& where) {
  const auto& given = file.tensors;
  if (!given.contains("lins.0.model.1.weight"))
    throw DataError(where +
                    ": holds no LPIPS: lins.0.model.1.weight is missing; "
                    "docs/evaluation.md says which files do");
  network_ = given.count("lins.6.model.1.weight") ? "squeeze"
             : given.count("net.slice1.2.weight") ? "vgg"
                                                  : "alex";
  const auto take = [&](const std::string& name,
                        const std::vector<int64_t>& shape) {
    const auto found = given.find(name);
    if (found == given.end())
      throw DataError(fmt::format("{}: {} is missing, which LPIPS with {} has",
                                  where, name, network_));
    if (found->second.sizes() != shape)
      throw DataError(fmt::format("{}: {} must be {}, got {}", where, name,
                                  shape_text(shape),
                                  shape_text(found->second.sizes())));
    weights_[name] = found->second.to(torch::kFloat);
  };
  int64_t channels = 3;
  int64_t slice = 0;
  for (const auto& layers : slices_of(network_)) {
    for (const auto& layer : layers) {
      for (const auto& [name, shape] : convolutions(layer, channels)) {
        take("net." + name + ".weight", shape);
        take("net." + name + ".bias", {shape[0]});
      }
      channels = channels_after(layer, channels);
    }
    take(fmt::format("lins.{}.model.1.weight", slice++), {1, channels, 1, 1});
  }
  // ImageNet's mean and spread on [-1,1], the package's own numbers.
  weights_["shift"] =
      torch::tensor({-.030f, -.088f, -.188f}).view({1, 3, 1, 1});
  weights_["scale"] = torch::tensor({.458f, .448f, .450f}).view({1, 3, 1, 1});
  for (const char* name : {"shift", "scale"})
    if (const auto found = given.find(std::string("scaling_layer.") + name);
        found != given.end())
      weights_[name] = found->second.to(torch::kFloat).view({1, 3, 1, 1});
}

const at::Tensor& Lpips::weight(const std::string& name) const {
  return weights_.at(name);
}

void Lpips::to(c10::Device device) {
  for (auto& item : weights_) item.second = item.second.to(device);
}

std::vector<at::Tensor> Lpips::features(const at::Tensor& images) const {
  auto x = images.expand({-1, 3, -1, -1});
  x = (x - weight("shift")) / weight("scale");
  const auto convolve = [&](const std::string& name, const at::Tensor& input,
                            int64_t stride, int64_t padding) {
    return torch::relu(invariant_conv2d(
        input, weight("net." + name + ".weight"),
        weight("net." + name + ".bias"),
        {.stride = {stride, stride}, .padding = {padding, padding}}));
  };
  std::vector<at::Tensor> outputs;
  for (const auto& layers : slices_of(network_)) {
    for (const auto& layer : layers) {
      const std::string name = layer.name;
      if (layer.kind == SliceLayer::kMaxPool) {
        x = torch::max_pool2d(x, layer.kernel, layer.stride, 0, 1,
                              layer.round_up);
      } else if (layer.kind == SliceLayer::kConv) {
        x = convolve(name, x, layer.stride, layer.padding);
      } else {
        const auto squeezed = convolve(name + ".squeeze", x, 1, 0);
        x = torch::cat({convolve(name + ".expand1x1", squeezed, 1, 0),
                        convolve(name + ".expand3x3", squeezed, 1, 1)},
                       1);
      }
    }
    outputs.push_back(x);
  }
  return outputs;
}

at::Tensor Lpips::distance(const at::Tensor& a, const at::Tensor& b) const {
  if (a.dim() != 4 || a.sizes() != b.sizes() ||
      (a.size(1) != 1 && a.size(1) != 3) || a.size(2) < Lpips::kSmallestSide ||
      a.size(3) < Lpips::kSmallestSide)
    throw ShapeError(fmt::format(
        "LPIPS: images must be [N,1|3,H,W] of at least {} pixels to a side, "
        "and alike, got {} and {}",
        Lpips::kSmallestSide, shape_text(a.sizes()), shape_text(b.sizes())));
  const PrecisionScope exact(Precision::kFp32);  // it measures
  return in_slices({weights_.begin()->second}, {a, b},
                   [this](const std::vector<at::Tensor>& inputs) {
                     return distance_of_rows(inputs[0], inputs[1]);
                   });
}

at::Tensor Lpips::distance_of_rows(const at::Tensor& a,
                                   const at::Tensor& b) const {
  const auto of_a = features(a), of_b = features(b);
  const auto unit = [&](const at::Tensor& x) {
    constexpr double kTiny = 1e-10;  // also keeps the root's gradient finite
    const auto squares = x.square().sum(1, /*keepdim=*/true);
    return x / ((squares + kTiny * kTiny).sqrt() + kTiny);
  };
  auto total = torch::zeros({a.size(0)}, a.options());
  for (size_t i = 0; i < of_a.size(); ++i) {
    const auto difference = (unit(of_a[i]) - unit(of_b[i])).square();
    total = total +
            invariant_conv2d(difference,
                             weight(fmt::format("lins.{}.model.1.weight", i)),
                             {}, {})
                .mean({1, 2, 3});
  }
  return total;
}

Lpips load_lpips(const std::filesystem::path& path) {
  return Lpips(read_lpips_weights(path), path.string());
}

}  // namespace calotype
