#include "tools/evaluate.h"

#include <torch/torch.h>

#include "core/error.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "metrics/class_agreement.h"
#include "metrics/classifier.h"
#include "metrics/distortion.h"
#include "metrics/rate.h"
#include "nn/model_folder.h"
#include "tools/classifier_model.h"
#include "tools/codec.h"
#include "tools/round_trip.h"
#include "tools/skipped.h"

namespace calotype {
namespace {

/// Runs `measure(batch)` over the whole set; returns the skipped images.
template <class Measure>
std::vector<SkippedImage> for_each_batch(
    const EvaluateJob& job, const char* label,
    std::shared_ptr<const ImageSource> source, Measure&& measure) {
  Loader loader(source, job.preprocessing,
                {.batch_size = job.batch_size,
                 .shuffle = false,
                 .strict = job.strict,
                 .num_workers = job.num_workers});
  Progress progress(label, source->size(), "images");
  int64_t done = 0;
  while (const auto batch = loader.next()) {
    measure(*batch);
    progress.update(done += batch->images.size(0));
    throw_if_stopped();
  }
  return loader.skipped();
}

Json evaluate_codec(EvaluateJob job,
                    std::shared_ptr<const ImageSource> source) {
  const auto codec = load_codec(job.model, job.device);
  job.preprocessing.channels = codec.codec->image_channels();
  const auto dtype = parse_dtype(job.dtype);
  Distortion distortion;
  double model_s = 0;
  int64_t num_pixels = 0, stored_bytes = 0;
  const auto skipped =
      for_each_batch(job, "evaluate", source, [&](const ImageBatch& batch) {
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
  report_skipped(result, skipped);
  return result;
}

Json evaluate_classes(EvaluateJob job,
                      std::shared_ptr<const ImageSource> source) {
  auto classifier = load_classifier(job.model, job.device);
  job.preprocessing.channels = classifier->config().in_channels;
  const auto names = source->class_names();
  if (int64_t(names.size()) > classifier->config().num_classes || names.empty())
    throw ConfigError(
        fmt::format("{}: has {} classes, the classifier {} knows {}; put the "
                    "images of each class in a "
                    "sub-folder",
                    source->spec(), names.size(), job.model.string(),
                    classifier->config().num_classes));
  const auto order = class_order(job.model, names);
  ClassAgreement agreement(classifier->config().num_classes);
  const auto skipped =
      for_each_batch(job, "classify", source, [&](const ImageBatch& batch) {
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
  Json result{{"classifier", job.model.string()},
              {"data", source->spec()},
              {"class_agreement", agreement.overall()},
              {"per_class", per_class}};
  report_skipped(result, skipped);
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
