#include "nn/group_norm.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include "core/parallel.h"
#include "nn/group_norm_call.h"
#include "nn/group_norm_kernel.h"
#include "nn/pixel_group_norm.h"
#include "nn/second_derivative.h"

namespace calotype {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Numbers of which a thread is worth its while.
constexpr int64_t kNumbersPerTask = 1 << 15;

struct Layout {
  int64_t samples, groups, channels_per_group, plane;

  Layout(const Tensor& x, int64_t num_groups)
      : samples(x.size(0)),
        groups(num_groups),
        channels_per_group(x.size(1) / num_groups),
        plane(x.size(0) ? x.numel() / (x.size(0) * x.size(1)) : 0) {}

  int64_t group_size() const { return channels_per_group * plane; }

  NormGroup group(int64_t g, const float* weight, const float* bias) const {
    return {channels_per_group, plane, weight + g * channels_per_group,
            bias + g * channels_per_group};
  }

  /// Calls visit(i) for each group of each sample.
  template <class Visit>
  void for_each_group(const Visit& visit) const {
    parallel_for(0, samples * groups, grain_of(group_size(), kNumbersPerTask),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) visit(i);
                 });
  }
};

struct OurGroupNorm : torch::autograd::Function<OurGroupNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& input,
                        const Tensor& weight, const Tensor& bias,
                        int64_t num_groups, double eps, bool silu) {
    const auto x = input.contiguous();
    const Layout layout(x, num_groups);
    auto out = torch::empty_like(x);
    auto statistics = torch::empty({layout.samples * layout.groups, 3},
                                   x.options().dtype(torch::kDouble));
    const auto* in = x.data_ptr<float>();
    const auto* w = weight.data_ptr<float>();
    const auto* b = bias.data_ptr<float>();
    auto* to = out.data_ptr<float>();
    auto* moments = statistics.data_ptr<double>();
    layout.for_each_group([&](int64_t i) {
      const auto at = i * layout.group_size();
      const auto found = group_norm_forward(
          layout.group(i % layout.groups, w, b), silu, in + at, eps, to + at);
      moments[3 * i] = found.mean;
      moments[3 * i + 1] = found.inverse_std;
      moments[3 * i + 2] = found.is_flat;
    });
    context->save_for_backward({input, weight, bias, statistics});
    context->saved_data["num_groups"] = num_groups;
    context->saved_data["eps"] = eps;
    context->saved_data["silu"] = silu;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1], &bias = saved[2];
    const auto num_groups = context->saved_data["num_groups"].toInt();
    const bool silu = context->saved_data["silu"].toBool();
    if (torch::GradMode::is_enabled()) {
      const auto eps = context->saved_data["eps"].toDouble();
      auto gradients = differentiable_gradients(
          GroupNormCall{num_groups, weight.to(torch::kDouble),
                        bias.to(torch::kDouble), eps, silu}
              .by_operations(input.to(torch::kDouble))
              .to(torch::kFloat),
          {input, weight, bias}, grads[0]);
      gradients.resize(6);
      return gradients;
    }
    const auto x = input.contiguous();
    const Layout layout(x, num_groups);
    const auto grad_out = grads[0].contiguous();
    auto grad_in = torch::empty_like(x);
    // A row per sample, so that the sum over samples has one order for any
    // number of threads.
    auto grad_weight = torch::empty({layout.samples, x.size(1)},
                                    x.options().dtype(torch::kDouble));
    auto grad_bias = torch::empty_like(grad_weight);
    const auto* in = x.data_ptr<float>();
    const auto* from = grad_out.data_ptr<float>();
    const auto* w = weight.data_ptr<float>();
    const auto* b = bias.data_ptr<float>();
    const auto* moments = saved[3].data_ptr<double>();
    auto* to = grad_in.data_ptr<float>();
    auto* to_weight = grad_weight.data_ptr<double>();
    auto* to_bias = grad_bias.data_ptr<double>();
    layout.for_each_group([&](int64_t i) {
      const auto at = i * layout.group_size();
      const auto channel = i * layout.channels_per_group;
      group_norm_backward(
          layout.group(i % layout.groups, w, b), silu, in + at, from + at,
          {moments[3 * i], moments[3 * i + 1], moments[3 * i + 2] != 0},
          to + at, to_weight + channel, to_bias + channel);
    });
    return {grad_in,
            grad_weight.sum(0).to(torch::kFloat),
            grad_bias.sum(0).to(torch::kFloat),
            Tensor(),
            Tensor(),
            Tensor()};
  }
};

bool is_channels_last(const Tensor& x) {
  return x.dim() == 4 && !x.is_contiguous() &&
         x.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

bool is_float(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kFloat;
}

Tensor normalise(const Tensor& x, GroupNormCall call) {
  const bool in_bf16 = x.is_cpu() && x.scalar_type() == torch::kBFloat16;
  const bool ours = (is_float(x) || in_bf16) && x.numel() > 0 &&
                    (!call.weight.defined() || is_float(call.weight)) &&
                    (!call.bias.defined() || is_float(call.bias));
  if (!ours) return call.by_operations(x);
  const auto floats = x.options().dtype(torch::kFloat);
  call.weight = call.weight.defined() ? call.weight.contiguous()
                                      : torch::ones({x.size(1)}, floats);
  call.bias = call.bias.defined() ? call.bias.contiguous()
                                  : torch::zeros({x.size(1)}, floats);
  if (in_bf16 && x.dim() == 4) return normalise_bf16_pixels(x, call);
  if (!torch::GradMode::is_enabled() && is_channels_last(x))
    return normalise_pixels(x, call);
  return OurGroupNorm::apply(x.to(torch::kFloat), call.weight, call.bias,
                             call.num_groups, call.eps, call.silu);
}

}  // namespace

at::Tensor normalise_groups(const at::Tensor& x, int64_t num_groups,
                            const at::Tensor& weight, const at::Tensor& bias,
                            double eps) {
  return normalise(x, {num_groups, weight, bias, eps});
}

at::Tensor GroupNormImpl::forward(const at::Tensor& x) {
  return normalise_groups(x, options.num_groups(), weight, bias, options.eps());
}

at::Tensor norm_silu(GroupNorm& norm, const at::Tensor& x) {
  return normalise(x, {norm->options.num_groups(), norm->weight, norm->bias,
                       norm->options.eps(), /*silu=*/true});
}

}  // namespace calotype
