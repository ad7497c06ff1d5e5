#include "vae/tiny_layers.h"

#include <torch/types.h>

#include <string>

#include "nn/sampling.h"
#include "nn/sliced.h"

namespace calotype {
namespace {

Conv2d conv_of(const TinyConv& conv) {
  return Conv2d(torch::nn::Conv2dOptions(conv.in, conv.out, 3)
                    .stride(conv.stride)
                    .padding(1)
                    .bias(conv.bias));
}

}  // namespace

TinyLayersImpl::TinyLayersImpl(Activation activation)
    : activation_(activation),
      modules_(
          register_module("layers", std::make_shared<torch::nn::Module>())) {}

void TinyLayersImpl::add_conv(const TinyConv& conv) {
  const auto module =
      modules_->register_module(std::to_string(layers_.size()), conv_of(conv));
  layers_.push_back(
      [module](const torch::Tensor& x) mutable { return module->forward(x); });
}

void TinyLayersImpl::add_block(int64_t channels) {
  const auto block = modules_->register_module(
      std::to_string(layers_.size()), std::make_shared<torch::nn::Module>());
  const auto row =
      block->register_module("conv", std::make_shared<torch::nn::Module>());
  std::vector<Conv2d> convs;
  for (const char* place : {"0", "2", "4"})  // between them, activations
    convs.push_back(row->register_module(
        place, conv_of({.in = channels, .out = channels})));
  layers_.push_back(
      [convs, activation = activation_](const torch::Tensor& x) mutable {
        const auto first = activate(activation, convs[0]->forward(x));
        const auto second = activate(activation, convs[1]->forward(first));
        return torch::relu(convs[2]->forward(second) + x);
      });
}

void TinyLayersImpl::add_activation() {
  layers_.push_back([activation = activation_](const torch::Tensor& x) {
    return activate(activation, x);
  });
}

void TinyLayersImpl::add_upsampling(int64_t factor) {
  layers_.push_back([factor](const torch::Tensor& x) {
    return nearest_resize(x, factor * x.size(2), factor * x.size(3));
  });
}

torch::Tensor TinyLayersImpl::forward(const torch::Tensor& x) {
  return in_slices(*this, {x}, [this](const std::vector<at::Tensor>& inputs) {
    auto y = inputs[0];
    for (const auto& layer : layers_) y = layer(y);
    return y;
  });
}

}  // namespace calotype
