#include "vae/dc_layers.h"

#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

#include "nn/batch_invariant.h"
#include "nn/rms_norm.h"
#include "nn/sampling.h"

namespace calotype {
namespace {

Conv2d dc_conv(int64_t in, int64_t out, int64_t kernel, bool bias = true,
               int64_t stride = 1, int64_t groups = 1) {
  return Conv2d(torch::nn::Conv2dOptions(in, out, kernel)
                    .stride(stride)
                    .padding(kernel / 2)
                    .groups(groups)
                    .bias(bias));
}

/// [N,C,H,W] -> [N,H,W,C], and back.
at::Tensor channels_last(const at::Tensor& x) {
  return x.movedim(1, -1).contiguous();
}
at::Tensor channels_first(const at::Tensor& x) {
  return x.movedim(-1, 1);
}

/// RMSNorm with a bias; eps as diffusers has it.
class ChannelNorm : public DcLayer {
 public:
  explicit ChannelNorm(int64_t channels)
      : weight_(register_parameter("weight", torch::ones({channels}))),
        bias_(register_parameter("bias", torch::zeros({channels}))) {}

  at::Tensor forward(const at::Tensor& x) override {
    return channels_first(rms_norm(channels_last(x), 1e-5) * weight_ + bias_);
  }

 private:
  at::Tensor weight_, bias_;
};

class StillBatchNorm : public DcLayer {
 public:
  explicit StillBatchNorm(int64_t channels)
      : weight_(register_parameter("weight", torch::ones({channels}))),
        bias_(register_parameter("bias", torch::zeros({channels}))),
        mean_(register_buffer("running_mean", torch::zeros({channels}))),
        variance_(register_buffer("running_var", torch::ones({channels}))) {
    register_buffer("num_batches_tracked", torch::zeros({}, torch::kLong));
  }

  at::Tensor forward(const at::Tensor& x) override {
    const auto scale = weight_ * (variance_ + 1e-5).rsqrt();
    const auto shift = bias_ - mean_ * scale;
    return x * scale.view({-1, 1, 1}) + shift.view({-1, 1, 1});
  }

 private:
  at::Tensor weight_, bias_, mean_, variance_;
};

class ResBlock : public DcLayer {
 public:
  explicit ResBlock(const DcStage& stage)
      : activation_(stage.activation),
        conv1_(register_module("conv1",
                               dc_conv(stage.channels, stage.channels, 3))),
        conv2_(register_module(
            "conv2", dc_conv(stage.channels, stage.channels, 3, false))),
        norm_(register_module("norm", dc_norm(stage.norm, stage.channels))) {}

  at::Tensor forward(const at::Tensor& x) override {
    return x + norm_->forward(conv2_(activate(activation_, conv1_(x))));
  }

 private:
  Activation activation_;
  Conv2d conv1_, conv2_;
  std::shared_ptr<DcLayer> norm_;
};

/// GLUMBConv: a gate beside a depthwise convolution.
class GatedConv : public DcLayer {
 public:
  explicit GatedConv(int64_t channels)
      : inverted_(register_module("conv_inverted",
                                  dc_conv(channels, 8 * channels, 1))),
        depth_(register_module(
            "conv_depth",
            dc_conv(8 * channels, 8 * channels, 3, true, 1, 8 * channels))),
        point_(register_module("conv_point",
                               dc_conv(4 * channels, channels, 1, false))),
        norm_(register_module("norm", dc_norm("rms_norm", channels))) {}

  at::Tensor forward(const at::Tensor& x) override {
    const auto both =
        depth_(activate(Activation::kSilu, inverted_(x))).chunk(2, 1);
    return x + norm_->forward(
                   point_(both[0] * activate(Activation::kSilu, both[1])));
  }

 private:
  Conv2d inverted_, depth_, point_;
  std::shared_ptr<DcLayer> norm_;
};

/// Query, key and value of a neighbourhood.
class Projection : public DcLayer {
 public:
  Projection(int64_t channels, int64_t num_heads, int64_t kernel)
      : in_(register_module(
            "proj_in", dc_conv(3 * channels, 3 * channels, kernel, false, 1,
                               3 * channels))),
        out_(register_module("proj_out", dc_conv(3 * channels, 3 * channels, 1,
                                                 false, 1, 3 * num_heads))) {}

  at::Tensor forward(const at::Tensor& x) override { return out_(in_(x)); }

 private:
  Conv2d in_, out_;
};

/// SanaMultiscaleLinearAttention (arXiv:2205.14756, section 3.1).
class LinearAttention : public DcLayer {
 public:
  explicit LinearAttention(const DcStage& stage)
      : head_channels_(stage.head_channels) {
    const auto heads = stage.channels / head_channels_;
    const auto width = heads * head_channels_;
    const auto linear = [](int64_t in, int64_t out) {
      return Linear(torch::nn::LinearOptions(in, out).bias(false));
    };
    to_q_ = register_module("to_q", linear(stage.channels, width));
    to_k_ = register_module("to_k", linear(stage.channels, width));
    to_v_ = register_module("to_v", linear(stage.channels, width));
    const auto list =
        register_module("to_qkv_multiscale", torch::nn::ModuleList());
    for (const auto kernel : stage.multiscales) {
      scales_.push_back(std::make_shared<Projection>(width, heads, kernel));
      list->push_back(scales_.back());
    }
    to_out_ = register_module(
        "to_out",
        linear(width * (1 + int64_t(scales_.size())), stage.channels));
    norm_ = register_module("norm_out", dc_norm(stage.norm, stage.channels));
  }

  at::Tensor forward(const at::Tensor& x) override {
    const auto cells = channels_last(x);
    const auto qkv = channels_first(
        torch::cat({to_q_(cells), to_k_(cells), to_v_(cells)}, -1));
    std::vector<at::Tensor> scales{qkv};
    for (const auto& scale : scales_) scales.push_back(scale->forward(qkv));
    const auto N = x.size(0), H = x.size(2), W = x.size(3);
    // [N,G,3*head,cells]: triples in the order of the channels, as there.
    const auto parts = torch::cat(scales, 1)
                           .to(torch::kFloat)
                           .reshape({N, -1, 3 * head_channels_, H * W})
                           .chunk(3, 2);
    const auto answer =
        attend(torch::relu(parts[0]), torch::relu(parts[1]), parts[2]);
    const auto out = to_out_(channels_last(answer.reshape({N, -1, H, W})));
    return x + norm_->forward(channels_first(out));
  }

 private:
  /// Each [N,G,head,cells].
  at::Tensor attend(const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) const {
    constexpr double kLeast = 1e-15;
    if (q.size(3) > head_channels_) {
      const auto ones = torch::ones_like(v.narrow(2, 0, 1));
      const auto sums =
          torch::cat({v, ones}, 2).matmul(k.transpose(2, 3)).matmul(q);
      return sums.narrow(2, 0, head_channels_) /
             (sums.narrow(2, head_channels_, 1) + kLeast);
    }
    const auto scores = k.transpose(2, 3).matmul(q);
    return v.matmul(scores / (scores.sum(2, /*keepdim=*/true) + kLeast));
  }

  int64_t head_channels_;
  Linear to_q_{nullptr}, to_k_{nullptr}, to_v_{nullptr}, to_out_{nullptr};
  std::vector<std::shared_ptr<Projection>> scales_;
  std::shared_ptr<DcLayer> norm_;
};

class EfficientVit : public DcLayer {
 public:
  explicit EfficientVit(const DcStage& stage)
      : attention_(
            register_module("attn", std::make_shared<LinearAttention>(stage))),
        conv_(register_module("conv_out",
                              std::make_shared<GatedConv>(stage.channels))) {}

  at::Tensor forward(const at::Tensor& x) override {
    return conv_->forward(attention_->forward(x));
  }

 private:
  std::shared_ptr<LinearAttention> attention_;
  std::shared_ptr<GatedConv> conv_;
};

class Down : public DcLayer {
 public:
  Down(int64_t in, int64_t out, bool unshuffles, bool has_shortcut)
      : unshuffles_(unshuffles),
        has_shortcut_(has_shortcut),
        group_(4 * in / out),
        conv_(register_module("conv", dc_conv(in, unshuffles ? out / 4 : out, 3,
                                              true, unshuffles ? 1 : 2))) {}

  at::Tensor forward(const at::Tensor& x) override {
    auto y = conv_(x);
    if (unshuffles_) y = torch::pixel_unshuffle(y, 2);
    if (!has_shortcut_) return y;
    const auto cells = torch::pixel_unshuffle(x, 2);
    return y + cells.unflatten(1, {-1, group_}).mean(2);
  }

 private:
  bool unshuffles_, has_shortcut_;
  int64_t group_;
  Conv2d conv_;
};

class Up : public DcLayer {
 public:
  Up(int64_t in, int64_t out, bool interpolates, bool has_shortcut)
      : interpolates_(interpolates),
        has_shortcut_(has_shortcut),
        repeats_(4 * out / in),
        conv_(register_module("conv",
                              dc_conv(in, interpolates ? out : 4 * out, 3))) {}

  at::Tensor forward(const at::Tensor& x) override {
    const auto y = interpolates_
                       ? conv_(nearest_resize(x, 2 * x.size(2), 2 * x.size(3)))
                       : torch::pixel_shuffle(conv_(x), 2);
    if (!has_shortcut_) return y;
    return y + torch::pixel_shuffle(x.repeat_interleave(repeats_, 1), 2);
  }

 private:
  bool interpolates_, has_shortcut_;
  int64_t repeats_;
  Conv2d conv_;
};

}  // namespace

std::shared_ptr<DcLayer> dc_norm(const std::string& norm, int64_t channels) {
  if (norm == "batch_norm") return std::make_shared<StillBatchNorm>(channels);
  return std::make_shared<ChannelNorm>(channels);
}

std::shared_ptr<DcLayer> dc_block(const DcStage& stage) {
  if (stage.block_type == "EfficientViTBlock")
    return std::make_shared<EfficientVit>(stage);
  return std::make_shared<ResBlock>(stage);
}

std::shared_ptr<DcLayer> dc_down(int64_t in, int64_t out, bool unshuffles,
                                 bool has_shortcut) {
  return std::make_shared<Down>(in, out, unshuffles, has_shortcut);
}

std::shared_ptr<DcLayer> dc_up(int64_t in, int64_t out, bool interpolates,
                               bool has_shortcut) {
  return std::make_shared<Up>(in, out, interpolates, has_shortcut);
}

}  // namespace calotype
