#include "tools/denoise.h"

#include <torch/utils.h>

#include "evaluation/image_pass.h"
#include "metrics/distortion.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "outputs/image_files.h"
#include "report/skipped.h"

namespace calotype {
namespace {

constexpr int64_t kDenoisedShown = 24;  // images in the overview
constexpr int64_t kDenoisedPerRow = 4;  // images, each of two or three panels

}  // namespace

Json denoise(const DenoiseJob& given) {
  auto job = given;
  job.corruption.validate();
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const bool measures = job.corruption.kind != "none";
  const torch::InferenceMode inference;
  auto plan = plan_of_set(
      job.out, "denoise", codec, source, job.preprocessing, job.limit,
      {{"corruption", write_config(job.corruption)}, {"seed", job.seed}});
  plan.fresh = job.fresh;
  ImageFolderWriter writer(plan, names_of(*source));
  Distortion before({.rounding = Rounding::kNone}),
      after({.rounding = Rounding::kNone});
  std::vector<at::Tensor> panels;
  const auto pass = for_each_batch(
      job, "denoise", source, job.limit, [&](const ImageBatch& batch) {
        const auto given_images =
            corrupt(job.corruption, batch.images, batch.indices, job.seed, 0);
        const auto cleaned = round_trip(*codec.codec, given_images, job.device);
        if (measures) {
          before.add(batch.images, given_images, batch.labels, batch.indices);
          after.add(batch.images, cleaned, batch.labels, batch.indices);
        }
        for (int64_t i = 0; i < cleaned.size(0); ++i) {
          writer.write(batch.names[size_t(i)], cleaned[i],
                       {{"codec", codec.sha256}});
          const auto num_panels = measures ? 3 : 2;
          if (int64_t(panels.size()) >= kDenoisedShown * num_panels ||
              (!panels.empty() && panels.front().sizes() != cleaned[i].sizes()))
            continue;
          panels.push_back(given_images[i]);
          panels.push_back(cleaned[i]);
          if (measures) panels.push_back(batch.images[i]);
        }
      });
  if (!panels.empty()) {
    const auto shown = torch::stack(panels);
    writer.write_overview(
        image_grid(shown, kDenoisedPerRow * (measures ? 3 : 2),
                   shown.size(3) < 64 ? 2 : 1),
        {{"codec", codec.sha256}});
  }
  writer.finish();
  Json result{{"folder", job.out.string()},
              {"images", pass.num_images},
              {"images_per_s", pass.images_per_s}};
  if (measures && pass.num_images > 0) {
    result["corruption"] = write_config(job.corruption);
    result["mse_corrupted"] = before.summary().mse;
    result["mse_denoised"] = after.summary().mse;
    result["psnr_db_corrupted"] = before.summary().psnr_db_of_mean_mse;
    result["psnr_db_denoised"] = after.summary().psnr_db_of_mean_mse;
  }
  report_skipped(result, pass.skipped, pass.notes);
  return result;
}

}  // namespace calotype
