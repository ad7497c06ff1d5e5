#include "nn/mid_block.h"

#include <torch/types.h>

namespace calotype {

MidBlockImpl::MidBlockImpl(const ResnetBlockConfig& resnet,
                           const AttentionConfig& attention)
    : first_(resnet), second_(resnet) {
  if (attention.channels > 0) {
    attention_ = Attention(attention);
    register_module("attentions", torch::nn::ModuleList(attention_));
  }
  register_module("resnets", torch::nn::ModuleList(first_, second_));
}

torch::Tensor MidBlockImpl::forward(const torch::Tensor& x,
                                    const torch::Tensor& embedding) {
  auto h = first_(x, embedding);
  if (attention_) h = attention_(h, embedding);
  return second_(h, embedding);
}

}  // namespace calotype
