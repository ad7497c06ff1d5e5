#include "nn/norm_silu.h"

#include <torch/torch.h>

#include "nn/norm_silu_kernel.h"

namespace calotype {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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
};

struct NormSilu : torch::autograd::Function<NormSilu> {
  static Tensor forward(AutogradContext* context, const Tensor& input,
                        const Tensor& weight, const Tensor& bias,
                        int64_t num_groups, double eps) {
    const auto x = input.contiguous();
    const Layout layout(x, num_groups);
    auto out = torch::empty_like(x);
    auto mean = torch::empty({layout.samples, layout.groups}, x.options());
    auto inverse_std = torch::empty_like(mean);
    const auto* in = x.data_ptr<float>();
    const auto* w = weight.data_ptr<float>();
    const auto* b = bias.data_ptr<float>();
    at::parallel_for(
        0, layout.samples * layout.groups, 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const auto at = i * layout.group_size();
            norm_silu_forward(layout.group(i % layout.groups, w, b), in + at,
                              out.data_ptr<float>() + at, float(eps),
                              mean.data_ptr<float>() + i,
                              inverse_std.data_ptr<float>() + i);
          }
        });
    context->save_for_backward({x, weight, bias, mean, inverse_std});
    context->saved_data["num_groups"] = num_groups;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2];
    const Layout layout(x, context->saved_data["num_groups"].toInt());
    const auto grad_out = grads[0].contiguous();
    auto grad_in = torch::empty_like(x);
    // A row per sample, so that the sum over samples has one order for any
    // number of threads.
    auto grad_weight = torch::zeros({layout.samples, x.size(1)}, x.options());
    auto grad_bias = torch::zeros_like(grad_weight);
    at::parallel_for(
        0, layout.samples * layout.groups, 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const auto at = i * layout.group_size();
            const auto channel = i * layout.channels_per_group;
            norm_silu_backward(
                layout.group(i % layout.groups, weight.data_ptr<float>(),
                             bias.data_ptr<float>()),
                x.data_ptr<float>() + at, grad_out.data_ptr<float>() + at,
                saved[3].data_ptr<float>()[i], saved[4].data_ptr<float>()[i],
                grad_in.data_ptr<float>() + at,
                grad_weight.data_ptr<float>() + channel,
                grad_bias.data_ptr<float>() + channel);
          }
        });
    return {grad_in, grad_weight.sum(0), grad_bias.sum(0), Tensor(), Tensor()};
  }
};

}  // namespace

at::Tensor norm_silu(torch::nn::GroupNorm& norm, const at::Tensor& x) {
  const auto& options = norm->options;
  const bool ours = x.is_cpu() && x.scalar_type() == torch::kFloat &&
                    norm->weight.defined() &&
                    norm->weight.scalar_type() == torch::kFloat;
  if (!ours) return torch::silu(norm->forward(x));
  return NormSilu::apply(x, norm->weight, norm->bias, options.num_groups(),
                         options.eps());
}

}  // namespace calotype
