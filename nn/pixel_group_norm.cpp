#include "nn/pixel_group_norm.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "core/parallel.h"
#include "nn/group_norm_pixels.h"
#include "nn/second_derivative.h"

namespace calotype {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Numbers of which a thread is worth its while.
constexpr int64_t kNumbersPerRun = 1 << 15;

/// Channels-last: pixels of a sample in runs, so that a single group is shared
/// among threads too.
struct PixelLayout {
  int64_t samples, channels, pixels, per_run, runs;

  explicit PixelLayout(const Tensor& x)
      : samples(x.size(0)),
        channels(x.size(1)),
        pixels(x.size(2) * x.size(3)),
        per_run(grain_of(channels, kNumbersPerRun)),
        runs((pixels + per_run - 1) / per_run) {}

  /// Calls visit(sample, run, first number, pixels) for each run.
  template <class Visit>
  void for_each_run(const Visit& visit) const {
    parallel_for(0, samples * runs,
                 grain_of(per_run * channels, kNumbersPerRun),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const auto sample = i / runs, run = i % runs;
                     const auto first = run * per_run;
                     visit(sample, run, (sample * pixels + first) * channels,
                           std::min(per_run, pixels - first));
                   }
                 });
  }
};

/// The statistics of each group of each sample.
template <class T>
std::vector<GroupStatistics> pixel_statistics(const PixelLayout& layout,
                                              const NormChannels& shape,
                                              const T* in, double eps) {
  const auto groups = size_t(shape.groups);
  std::vector<float> origins(size_t(layout.samples) * groups);
  for (size_t i = 0; i < origins.size(); ++i) {
    const auto sample = int64_t(i / groups), group = int64_t(i % groups);
    origins[i] = to_float(in[sample * layout.pixels * layout.channels +
                             group * shape.per_group()]);
  }
  std::vector<GroupSums> sums(size_t(layout.samples * layout.runs) * groups);
  layout.for_each_run(
      [&](int64_t sample, int64_t run, int64_t first, int64_t pixels) {
        sum_pixels(shape, in + first, pixels, &origins[size_t(sample) * groups],
                   &sums[size_t(sample * layout.runs + run) * groups]);
      });
  std::vector<GroupStatistics> found;
  for (size_t i = 0; i < origins.size(); ++i) {
    const auto sample = i / groups;
    GroupSums all;
    for (size_t run = 0; run < size_t(layout.runs); ++run) {
      const auto& part =
          sums[(sample * size_t(layout.runs) + run) * groups + i % groups];
      all.sum += part.sum;
      all.squares += part.squares;
      all.largest_square = std::max(all.largest_square, part.largest_square);
    }
    found.push_back(
        statistics_of(all, shape.per_group() * layout.pixels, origins[i], eps));
  }
  return found;
}

template <class T>
std::vector<GroupStatistics> normalise_to(const Tensor& x,
                                          const NormChannels& shape, double eps,
                                          bool silu, const Tensor& out) {
  const PixelLayout layout(x);
  const auto* in = static_cast<const T*>(x.data_ptr());
  auto* to = static_cast<T*>(out.data_ptr());
  auto found = pixel_statistics(layout, shape, in, eps);
  layout.for_each_run(
      [&](int64_t sample, int64_t, int64_t first, int64_t pixels) {
        normalise_pixels(shape, silu, in + first, pixels,
                         &found[size_t(sample * shape.groups)], to + first);
      });
  return found;
}

NormChannels channels_of(const GroupNormCall& call) {
  return {.groups = call.num_groups,
          .channels = call.weight.size(0),
          .weight = call.weight.data_ptr<float>(),
          .bias = call.bias.data_ptr<float>()};
}

/// In bfloat16 and channels-last, with its way back.
struct PixelGroupNorm : torch::autograd::Function<PixelGroupNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& input,
                        const Tensor& weight, const Tensor& bias,
                        int64_t num_groups, double eps, bool silu) {
    const GroupNormCall call{num_groups, weight, bias, eps, silu};
    const auto x = input.contiguous(torch::MemoryFormat::ChannelsLast);
    const auto out = torch::empty_like(x);
    const auto found =
        normalise_to<Bfloat16>(x, channels_of(call), eps, silu, out);
    auto statistics = torch::empty({int64_t(found.size()), 3}, torch::kDouble);
    auto* to = statistics.data_ptr<double>();
    for (const auto& group : found) {
      *to++ = group.mean;
      *to++ = group.inverse_std;
      *to++ = group.is_flat;
    }
    context->save_for_backward({x, weight, bias, statistics});
    context->saved_data["num_groups"] = num_groups;
    context->saved_data["eps"] = eps;
    context->saved_data["silu"] = silu;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2];
    const auto num_groups = context->saved_data["num_groups"].toInt();
    const bool silu = context->saved_data["silu"].toBool();
    if (torch::GradMode::is_enabled()) {
      const auto eps = context->saved_data["eps"].toDouble();
      auto gradients = differentiable_gradients(
          GroupNormCall{num_groups, weight, bias, eps, silu}
              .by_operations(x.to(torch::kFloat))
              .to(x.scalar_type()),
          {x, weight, bias}, grads[0]);
      gradients.resize(6);
      return gradients;
    }
    const PixelLayout layout(x);
    const auto shape = channels_of({num_groups, weight, bias});
    const auto grad_out =
        grads[0].contiguous(torch::MemoryFormat::ChannelsLast);
    auto grad_in = torch::empty_like(x);
    const auto* in = static_cast<const Bfloat16*>(x.data_ptr());
    const auto* from = static_cast<const Bfloat16*>(grad_out.data_ptr());
    auto* to = static_cast<Bfloat16*>(grad_in.data_ptr());
    const auto* moments = saved[3].data_ptr<double>();
    std::vector<GroupStatistics> statistics(
        size_t(layout.samples * num_groups));
    for (auto& group : statistics) {
      group = {moments[0], moments[1], moments[2] != 0};
      moments += 3;
    }
    const auto of = [&](int64_t sample) {
      return &statistics[size_t(sample * num_groups)];
    };

    const auto channels = size_t(layout.channels);
    std::vector<GradientSums> sums(size_t(layout.samples * layout.runs) *
                                   channels);
    layout.for_each_run([&](int64_t sample, int64_t run, int64_t first,
                            int64_t pixels) {
      sum_gradients(shape, silu, in + first, from + first, pixels, of(sample),
                    &sums[size_t(sample * layout.runs + run) * channels]);
    });
    std::vector<GradientSums> of_channels(channels);
    std::vector<GradientSums> means(statistics.size());
    for (size_t i = 0; i < sums.size(); ++i) {
      const auto c = i % channels;
      const auto sample = i / channels / size_t(layout.runs);
      auto& mean =
          means[sample * size_t(num_groups) + c / size_t(shape.per_group())];
      mean.du += shape.weight[c] * sums[i].du;
      mean.du_n += shape.weight[c] * sums[i].du_n;
      of_channels[c].du += sums[i].du;
      of_channels[c].du_n += sums[i].du_n;
    }
    const auto count = double(shape.per_group() * layout.pixels);
    for (auto& mean : means) {
      mean.du /= count;
      mean.du_n /= count;
    }
    layout.for_each_run([&](int64_t sample, int64_t, int64_t first,
                            int64_t pixels) {
      backward_pixels(shape, silu, in + first, from + first, pixels, of(sample),
                      &means[size_t(sample * num_groups)], to + first);
    });
    auto grad_weight = torch::empty_like(weight);
    auto grad_bias = torch::empty_like(bias);
    for (size_t c = 0; c < channels; ++c) {
      grad_weight.data_ptr<float>()[c] = float(of_channels[c].du_n);
      grad_bias.data_ptr<float>()[c] = float(of_channels[c].du);
    }
    return {grad_in, grad_weight, grad_bias, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

at::Tensor normalise_pixels(const at::Tensor& x, const GroupNormCall& call) {
  const auto out = torch::empty_like(x);
  normalise_to<float>(x, channels_of(call), call.eps, call.silu, out);
  return out;
}

at::Tensor normalise_bf16_pixels(const at::Tensor& x,
                                 const GroupNormCall& call) {
  return PixelGroupNorm::apply(x, call.weight, call.bias, call.num_groups,
                               call.eps, call.silu);
}

}  // namespace calotype
