#include "tools/evaluate.h"

#include <torch/torch.h>

#include "core/error.h"
#include "core/runtime.h"
#include "metrics/class_agreement.h"
#include "metrics/classifier.h"
#include "metrics/distortion.h"
#include "metrics/moments.h"
#include "metrics/rate.h"
#include "nn/model_folder.h"
#include "tools/classifier_model.h"
#include "tools/codec.h"
#include "tools/image_pass.h"
#include "tools/round_trip.h"
#include "tools/skipped.h"
#include "vae/autoencoder.h"
#include "vae/code_usage.h"
#include "vae/evidence.h"

namespace calotype {
namespace {

/// How well a variational autoencoder's code is used, and the bounds on how
/// probable images are.
class EvidenceReport {
 public:
  EvidenceReport(const EvaluateJob& job, CalotypeAutoencoderImpl& model)
      : job_(job), model_(model) {
    if ((job.importance_samples > 0 || job.binarize) &&
        !has_likelihood(model.reconstruction()))
      throw ConfigError(fmt::format(
          "evaluate: --importance-samples and --binarize need a model with "
          "reconstruction bce or gaussian, got {}",
          model.config().reconstruction));
  }

  void add(const ImageBatch& batch) {
    const torch::InferenceMode inference;
    auto images = batch.images.to(job_.device);
    if (job_.binarize) images = binarize(images, batch.indices, job_.seed, 0);
    const auto posterior = model_.encode(images);
    usage_.add(posterior);
    values_per_image_ = images[0].numel();
    if (!has_likelihood(model_.reconstruction())) return;
    elbo_ += evidence_lower_bound(model_, images, posterior, batch.indices,
                                  job_.seed)
                 .sum()
                 .item<double>();
    if (job_.importance_samples > 0)
      bound_ +=
          importance_weighted_bound(model_, images, posterior, batch.indices,
                                    job_.seed, job_.importance_samples)
              .sum()
              .item<double>();
  }

  void write(Json& result) const {
    const auto count = double(usage_.num_images());
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

 private:
  const EvaluateJob& job_;
  CalotypeAutoencoderImpl& model_;
  CodeUsage usage_;
  double elbo_ = 0, bound_ = 0;
  int64_t values_per_image_ = 1;
};

Json evaluate_codec(EvaluateJob job,
                    std::shared_ptr<const ImageSource> source) {
  const auto codec = load_codec(job.model, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const auto dtype = parse_dtype(job.dtype);
  auto* autoencoder = dynamic_cast<CalotypeAutoencoderImpl*>(codec.codec.get());
  std::optional<EvidenceReport> evidence;
  if (autoencoder && codec.codec->has_variance())
    evidence.emplace(job, *autoencoder);
  else if (job.importance_samples > 0 || job.binarize)
    throw ConfigError(
        job.model.string() +
        ": --importance-samples and --binarize need a variational "
        "CalotypeAutoencoder");
  Distortion distortion;
  double model_s = 0;
  int64_t num_pixels = 0, stored_bytes = 0;
  const auto pass =
      for_each_batch(job, "evaluate", source, 0, [&](const ImageBatch& batch) {
        const double begin = monotonic_s();
        const auto decoded =
            round_trip(*codec.codec, batch.images, job.device, dtype);
        model_s += monotonic_s() - begin;
        distortion.add(batch.images, decoded, batch.labels, batch.indices);
        const auto f = codec.codec->downsample();
        const auto cells = [&](int64_t size) { return (size + f - 1) / f; };
        num_pixels +=
            batch.images.size(0) * batch.images.size(2) * batch.images.size(3);
        stored_bytes += batch.images.size(0) * codec.codec->latent_channels() *
                        cells(batch.images.size(2)) *
                        cells(batch.images.size(3)) *
                        int64_t(c10::elementSize(dtype));
        if (evidence) evidence->add(batch);
      });
  const auto summary = distortion.summary();
  const auto rate =
      measure_rate(stored_bytes, num_pixels, codec.codec->image_channels());
  Json result{{"codec", job.model.string()},
              {"codec_sha256", codec.sha256},
              {"data", source->spec()},
              {"preprocessing", write_config(job.preprocessing)},
              {"latents", job.dtype},
              {"images", summary.num_images},
              {"mse", summary.mse},
              {"mae", summary.mae},
              {"psnr_db_mean_over_images", summary.mean_psnr_db},
              {"psnr_db_of_mean_mse", summary.psnr_db_of_mean_mse},
              {"ssim", summary.ssim},
              {"rate_bpp", rate.rate_bpp},
              {"compression_ratio", rate.compression_ratio},
              {"round_trip_images_per_s", double(summary.num_images) / model_s},
              {"peak_memory_mib", double(peak_memory_bytes()) / (1 << 20)}};
  if (evidence) evidence->write(result);
  report_skipped(result, pass.skipped);
  return result;
}

/// Features of all images of a set, as their moments.
Moments feature_moments(const EvaluateJob& job,
                        CalotypeClassifierImpl& classifier,
                        std::shared_ptr<const ImageSource> source) {
  const torch::InferenceMode inference;
  Moments moments;
  for_each_batch(job, "reference", source, 0, [&](const ImageBatch& batch) {
    moments.add(classifier.features(batch.images.to(job.device)));
  });
  return moments;
}

Json evaluate_classes(EvaluateJob job,
                      std::shared_ptr<const ImageSource> source) {
  auto classifier = load_classifier(job.model, job.device);
  job.preprocessing.channels = classifier->config().in_channels;
  job.preprocessing.size = classifier->config().sample_size;
  Json result{{"classifier", job.model.string()}, {"data", source->spec()}};
  if (!job.reference.empty()) {
    const auto reference = feature_moments(
        job, *classifier, std::shared_ptr(open_source(job.reference)));
    const auto shown = feature_moments(job, *classifier, source);
    result["reference"] = job.reference;
    result["images"] = shown.count();
    result["reference_images"] = reference.count();
    result["frechet_distance"] = frechet_distance(shown, reference);
  }
  const auto names = source->class_names();
  if (names.empty() && !job.reference.empty()) return result;
  if (int64_t(names.size()) > classifier->config().num_classes || names.empty())
    throw ConfigError(
        fmt::format("{}: has {} classes, the classifier {} knows {}; put the "
                    "images of each class in a "
                    "sub-folder",
                    source->spec(), names.size(), job.model.string(),
                    classifier->config().num_classes));
  const auto order = class_order(job.model, names);
  ClassAgreement agreement(classifier->config().num_classes);
  const auto pass =
      for_each_batch(job, "classify", source, 0, [&](const ImageBatch& batch) {
        const auto asked = order.index_select(0, batch.labels);
        agreement.add(
            asked,
            classifier->classify(batch.images.to(job.device)).to(torch::kCPU));
      });
  Json per_class = Json::object();
  const auto shares = agreement.per_class();
  for (size_t i = 0; i < names.size(); ++i)
    per_class[names[i]] =
        shares[size_t(order[int64_t(i)].item<int64_t>())].share;
  result["class_agreement"] = agreement.overall();
  result["per_class"] = per_class;
  report_skipped(result, pass.skipped);
  return result;
}

}  // namespace

Json evaluate(const EvaluateJob& job) {
  const std::shared_ptr<const ImageSource> source = open_source(job.data);
  const auto folder = open_model_folder(job.model);
  if (folder.class_name == kClassifierClass)
    return evaluate_classes(job, source);
  return evaluate_codec(job, source);
}

}  // namespace calotype
