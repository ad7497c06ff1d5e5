#include "diffusion/guidance.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include "core/check.h"
#include "core/error.h"

namespace calotype {

at::Tensor with_null_class(const at::Tensor& labels, int64_t num_classes) {
  if (num_classes == 0) return {};
  check_shape("class labels", "labels", labels, {-1});
  const auto wrong =
      labels.masked_select(labels.lt(-1).logical_or(labels.ge(num_classes)));
  if (wrong.numel() > 0)
    throw ConfigError(
        fmt::format("class labels: must be in [0, {}) for a network of {} "
                    "classes, or -1 for none, "
                    "got {}",
                    num_classes, num_classes, wrong[0].item<int64_t>()));
  return labels.masked_fill(labels.eq(-1), num_classes);
}

void Guidance::validate() const {
  const auto* where = "guidance";
  check_range(where, "scale", scale, 0, 1000);
  check_range(where, "rescale", rescale, 0, 1);
  if (!(sigma_low >= 0 && sigma_low < sigma_high))
    throw ConfigError(
        fmt::format("guidance: the interval must be LOW:HIGH with 0 <= LOW < "
                    "HIGH, got {}:{}",
                    sigma_low, sigma_high));
}

void Guidance::expect_of(int64_t num_classes) const {
  validate();
  if (num_classes == 0 && scale != 1 && !weak)
    throw ConfigError(fmt::format(
        "guidance: scale {} needs a network with classes, or a weaker network; "
        "this one has no classes",
        scale));
}

namespace {

struct Answers {
  at::Tensor weak, strong;  // [N,D,h,w] or [N,2D,h,w]
};

Answers with_and_without_label(Denoiser& denoiser, const at::Tensor& sample,
                               const at::Tensor& timestep,
                               const at::Tensor& labels) {
  const auto null_labels = at::full_like(labels, denoiser.num_classes());
  const auto halves =
      denoise(denoiser, at::cat({sample, sample}),
              at::cat({timestep, timestep}), at::cat({null_labels, labels}))
          .chunk(2);
  return {halves[0], halves[1]};
}

/// [N,1,1,1], of each sample's values.
at::Tensor deviation(const at::Tensor& x) {
  return x.flatten(1).std(1).view({-1, 1, 1, 1});
}

at::Tensor combined(const Answers& answers, const Guidance& guidance,
                    int64_t D) {
  const auto weak = answers.weak.narrow(1, 0, D),
             strong = answers.strong.narrow(1, 0, D);
  auto guided = weak + guidance.scale * (strong - weak);
  if (guidance.rescale > 0) {
    const auto back = deviation(strong) / deviation(guided).clamp_min(1e-12);
    guided = guided * (1 + guidance.rescale * (back - 1));
  }
  const auto rest = answers.strong.size(1) - D;
  return rest == 0 ? guided
                   : at::cat({guided, answers.strong.narrow(1, D, rest)}, 1);
}

}  // namespace

at::Tensor guided_forward(Denoiser& denoiser, const at::Tensor& sample,
                          const at::Tensor& timestep, const at::Tensor& labels,
                          const Guidance& guidance, double sigma) {
  const auto num_classes = denoiser.num_classes();
  const double scale = guidance.scale;
  guidance.expect_of(num_classes);
  const auto known = with_null_class(labels, num_classes);
  const bool guides =
      scale != 1 && guidance.sigma_low <= sigma && sigma <= guidance.sigma_high;
  if (!guides) return denoise(denoiser, sample, timestep, known);
  const auto D = sample.size(1);
  if (guidance.weak) {
    const auto of_weak = with_null_class(labels, guidance.weak->num_classes());
    return combined({denoise(*guidance.weak, sample, timestep, of_weak),
                     denoise(denoiser, sample, timestep, known)},
                    guidance, D);
  }
  if (scale == 0)
    return denoise(denoiser, sample, timestep,
                   at::full_like(known, num_classes));
  return combined(with_and_without_label(denoiser, sample, timestep, known),
                  guidance, D);
}

}  // namespace calotype
