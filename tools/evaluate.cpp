#include "tools/evaluate.h"

#include <torch/torch.h>

#include "core/error.h"
#include "core/runtime.h"
#include "metrics/distortion.h"
#include "metrics/rate.h"
#include "nn/model_folder.h"
#include "tools/accuracy_score.h"
#include "tools/classifier_model.h"
#include "tools/code_report.h"
#include "tools/codec.h"
#include "tools/evaluate_classes.h"
#include "tools/image_pass.h"
#include "tools/round_trip.h"
#include "tools/skipped.h"
#include "tools/token_use.h"
#include "vae/autoencoder.h"

namespace calotype {
namespace {

Json evaluate_codec(EvaluateJob job,
                    std::shared_ptr<const ImageSource> source) {
  const auto codec = load_codec(job.model, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const auto dtype = parse_dtype(job.dtype);
  auto* autoencoder = dynamic_cast<CalotypeAutoencoderImpl*>(codec.codec.get());
  std::optional<CodeReport> code_report;
  if (autoencoder)
    code_report.emplace(job, *autoencoder);
  else if (job.importance_samples > 0 || job.binarize ||
           job.jacobian_probes > 0)
    throw ConfigError(job.model.string() +
                      ": --importance-samples, --binarize and "
                      "--jacobian-probes need a CalotypeAutoencoder");
  std::optional<TokenUse> token_use;
  if (codec.tokenizer)
    token_use.emplace(codec.tokenizer->num_codes(),
                      codec.tokenizer->codebooks());
  const auto there_and_back = [&](const at::Tensor& images) {
    const torch::InferenceMode inference;
    if (!codec.tokenizer)
      return round_trip(*codec.codec, images, job.device, dtype);
    const auto tokens =
        tokenize_images(*codec.codec, *codec.tokenizer, images, job.device);
    token_use->add(tokens);
    return detokenize_images(*codec.tokenizer, tokens, images.size(2),
                             images.size(3), job.device);
  };
  Distortion distortion;
  double model_s = 0;
  int64_t num_pixels = 0, stored_bytes = 0;
  const auto pass =
      for_each_batch(job, "evaluate", source, 0, [&](const ImageBatch& batch) {
        const double begin = monotonic_s();
        const auto decoded = there_and_back(batch.images);
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
        if (code_report) code_report->add(batch);
      });
  const auto summary = distortion.summary();
  const auto rate =
      measure_rate(stored_bytes, num_pixels, codec.codec->image_channels());
  Json result{{"codec", job.model.string()},
              {"codec_sha256", codec.sha256},
              {"data", source->spec()},
              {"preprocessing", write_config(job.preprocessing)},
              {"latents", codec.tokenizer ? "tokens" : job.dtype},
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
  if (code_report) code_report->write(result);
  if (token_use) {
    token_use->write(result, num_pixels);
    result["compression_ratio"] = 8.0 * double(codec.codec->image_channels()) /
                                  result["rate_bpp"].get<double>();
  }
  report_skipped(result, pass.skipped);
  return result;
}

}  // namespace

Json evaluate(const EvaluateJob& job) {
  const std::shared_ptr<const ImageSource> source = open_source(job.data);
  const auto folder = open_model_folder(job.model);
  const bool judges = folder.class_name == kClassifierClass;
  if (!judges && (!job.reference.empty() || !job.expect_classifier.empty() ||
                  !job.cas.empty()))
    throw ConfigError(
        job.model.string() +
        ": --reference, --expect-classifier and --cas need a classifier");
  if (judges &&
      (job.importance_samples > 0 || job.binarize || job.jacobian_probes > 0))
    throw ConfigError(job.model.string() +
                      ": --importance-samples, --binarize and "
                      "--jacobian-probes need a CalotypeAutoencoder");
  if (!judges) return evaluate_codec(job, source);
  if (!job.reference.empty()) open_source(job.reference);  // or say so now
  if (!job.cas.empty()) expect_scorable(job);
  auto result = evaluate_classes(job, source);
  if (!job.cas.empty()) add_accuracy_score(job, result);
  return result;
}

}  // namespace calotype
