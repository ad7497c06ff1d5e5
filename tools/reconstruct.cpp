#include "tools/reconstruct.h"

#include <torch/utils.h>

#include <algorithm>

#include "evaluation/image_pass.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "outputs/image_files.h"
#include "report/skipped.h"

namespace calotype {
namespace {

constexpr int64_t kGridPairs = 6;  // a row: original, reconstruction, six times

/// Ten rows, or fewer of large images, which all are in memory.
int64_t most_shown(const at::Tensor& pair) {
  return std::clamp(2 * kUsualBatchPixels / (pair.size(2) * pair.size(3)),
                    int64_t{1}, int64_t{10}) *
         kGridPairs;
}

}  // namespace

Json reconstruct(const ReconstructJob& given) {
  auto job = given;
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const auto total =
      job.limit > 0 ? std::min(job.limit, source->size()) : source->size();
  if (job.dry_run)
    return {{"would_reconstruct", total},
            {"folder", job.out.string()},
            {"expected", expected_cost(codec.cost->of(CodecPass::kBoth, *source,
                                                      job.preprocessing),
                                       total, job.batch_size)}};
  expect_fits(codec, *source, job.preprocessing, CodecPass::kBoth);
  const torch::InferenceMode inference;
  auto plan = plan_of_set(job.out, "reconstruct", codec, source,
                          job.preprocessing, job.limit);
  plan.fresh = job.fresh;
  ImageFolderWriter writer(plan, names_of(*source));
  std::vector<at::Tensor> pairs;
  const auto pass = for_each_batch(
      job, "reconstruct", source, job.limit, [&](const ImageBatch& batch) {
        expect_fits(codec, batch.images, CodecPass::kBoth);
        const auto decoded = round_trip(*codec.codec, batch.images, job.device);
        for (int64_t i = 0; i < batch.images.size(0); ++i) {
          const auto pair = torch::stack({batch.images[i], decoded[i]});
          writer.write(batch.names[size_t(i)],
                       torch::cat({pair[0], pair[1]}, 2),
                       {{"codec", codec.sha256}});
          const bool same_shape =
              pairs.empty() || pairs.front().sizes() == pair.sizes();
          if (same_shape && int64_t(pairs.size()) < most_shown(pair))
            pairs.push_back(pair);
        }
      });
  if (!pairs.empty()) {
    const auto shown = torch::cat(pairs);
    writer.write_overview(
        image_grid(shown, 2 * kGridPairs, shown.size(3) < 64 ? 2 : 1),
        {{"codec", codec.sha256}});
  }
  writer.finish();
  Json result{{"folder", job.out.string()},
              {"images", pass.num_images},
              {"images_per_s", pass.images_per_s}};
  report_skipped(result, pass.skipped, pass.notes);
  return result;
}

}  // namespace calotype
