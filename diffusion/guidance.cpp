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

at::Tensor guided_forward(Denoiser& denoiser, const at::Tensor& sample,
                          const at::Tensor& timestep, const at::Tensor& labels,
                          double scale) {
  const auto num_classes = denoiser.num_classes();
  if (num_classes == 0 && scale != 1)
    throw ConfigError(fmt::format(
        "guidance: scale {} needs a network with classes; this one has none",
        scale));
  const auto cond_labels = with_null_class(labels, num_classes);
  if (scale == 1) return denoiser.forward(sample, timestep, cond_labels);
  const auto null_labels = at::full_like(cond_labels, num_classes);
  if (scale == 0) return denoiser.forward(sample, timestep, null_labels);

  const auto both =
      denoiser.forward(at::cat({sample, sample}), at::cat({timestep, timestep}),
                       at::cat({null_labels, cond_labels}));
  const auto halves = both.chunk(2);
  return halves[0] + scale * (halves[1] - halves[0]);
}

}  // namespace calotype
