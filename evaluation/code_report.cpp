#include "evaluation/code_report.h"

#include <torch/utils.h>

#include <cmath>

#include "core/error.h"
#include "vae/code_penalty.h"
#include "vae/evidence.h"

namespace calotype {
namespace {

/// "Active" has a meaning without a threshold only where the code can be
/// switched off.
bool can_be_inactive(const CalotypeAutoencoderImpl& model) {
  const auto& name = model.config().code_act_fn;
  return name == "relu" || name == "sigmoid";
}

}  // namespace

CodeReport::CodeReport(const EvaluateJob& job, CalotypeAutoencoderImpl& model)
    : job_(job), model_(model) {
  const bool asks_bounds = job.importance_samples > 0 || job.binarize;
  if (asks_bounds && !model.has_variance())
    throw ConfigError(job.model.string() +
                      ": is not variational, which --importance-samples and "
                      "--binarize need");
  if (asks_bounds && !has_likelihood(model.reconstruction()))
    throw ConfigError(fmt::format(
        "evaluate: --importance-samples and --binarize need a model with "
        "reconstruction bce or gaussian, got {}",
        model.config().reconstruction));
}

void CodeReport::add(const ImageBatch& batch) {
  auto images = batch.images.to(job_.device);
  if (job_.binarize) images = binarize(images, batch.indices, job_.seed, 0);
  const auto count = double(images.size(0));
  if (job_.jacobian_probes > 0)
    jacobian_ += count * jacobian_norm(model_, images, batch.indices, job_.seed,
                                       0, job_.jacobian_probes)
                             .item<double>();
  const torch::InferenceMode inference;
  const auto code = model_.encode(images);
  usage_.add(code);
  values_per_image_ = images[0].numel();
  if (can_be_inactive(model_))
    active_ +=
        count *
        active_share(code.mean, model_.config().code_act_fn).item<double>();
  if (model_.has_variance() && has_likelihood(model_.reconstruction()))
    add_bounds(images, code, batch.indices);
}

void CodeReport::add_bounds(const at::Tensor& images,
                            const LatentGrid& posterior,
                            const at::Tensor& samples) {
  elbo_ += evidence_lower_bound(model_, images, posterior, samples, job_.seed)
               .sum()
               .item<double>();
  if (job_.importance_samples > 0)
    bound_ += importance_weighted_bound(model_, images, posterior, samples,
                                        job_.seed, job_.importance_samples)
                  .sum()
                  .item<double>();
}

void CodeReport::write(Json& result) const {
  const auto count = double(usage_.num_images());
  if (count == 0) return;
  if (can_be_inactive(model_)) result["active_share"] = active_ / count;
  double spread = 0;
  for (const auto variance : usage_.variances()) spread += variance;
  result["code_std"] = std::sqrt(spread);
  if (job_.jacobian_probes > 0) {
    const auto norm = std::sqrt(jacobian_ / count);
    result["jacobian_norm"] = norm;
    result["relative_jacobian_norm"] = norm / std::sqrt(spread);
  }
  if (!model_.has_variance()) return;
  result["kl_nats"] = usage_.kl_nats();
  result["active_units"] = usage_.num_active();
  if (has_likelihood(model_.reconstruction())) {
    result["binarized"] = job_.binarize;
    result["elbo_nats"] = elbo_ / count;
    result["elbo_bits_per_dim"] =
        bits_per_dim(elbo_ / count, values_per_image_);
  }
  if (job_.importance_samples > 0) {
    result["importance_samples"] = job_.importance_samples;
    result["importance_weighted_bound_nats"] = bound_ / count;
    result["importance_weighted_bits_per_dim"] =
        bits_per_dim(bound_ / count, values_per_image_);
  }
  result["kl_per_number"] = usage_.kl_per_number();
}

}  // namespace calotype
