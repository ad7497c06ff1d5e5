#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "core/progress.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"

namespace calotype {

/// What an earlier pass met.
struct ImagePass {
  int64_t num_images = 0;
  double images_per_s = 0;
  std::vector<SkippedImage> skipped;
  PassNotes notes;
};

/// Runs `visit(batch)` over the images of `source` in order, as `job` says
/// (preprocessing, batch_size, num_workers, strict; max_batch_pixels and
/// own_channels if it has them), with progress; only the first `limit` images
/// if that is above 0.
template <class Job, class Visit>
ImagePass for_each_batch(const Job& job, const char* label,
                         std::shared_ptr<const ImageSource> source,
                         int64_t limit, Visit&& visit) {
  LoaderConfig config{.batch_size = job.batch_size,
                      .shuffle = false,
                      .strict = job.strict,
                      .num_workers = job.num_workers};
  config.max_batch_pixels = kUsualBatchPixels;
  if constexpr (requires { job.max_batch_pixels; })
    if (job.max_batch_pixels > 0)
      config.max_batch_pixels = job.max_batch_pixels;
  if constexpr (requires { job.own_channels; })
    config.own_channels = job.own_channels;
  Loader loader(source, job.preprocessing, config);
  const auto total =
      limit > 0 ? std::min(limit, source->size()) : source->size();
  Progress progress(label, total, "images");
  int64_t done = 0;
  while (done < total) {
    auto batch = loader.next();
    if (!batch) break;
    if (const auto left = total - done; batch->images.size(0) > left) {
      batch->images = batch->images.narrow(0, 0, left);
      batch->labels = batch->labels.narrow(0, 0, left);
      batch->indices = batch->indices.narrow(0, 0, left);
      batch->names.resize(size_t(left));
      batch->sizes.resize(size_t(left));
      batch->channels.resize(size_t(left));
      batch->hashes.resize(size_t(left));
      batch->file_bytes.resize(size_t(left));
    }
    visit(*batch);
    progress.update(done += batch->images.size(0));
    throw_if_stopped();
  }
  progress.finish();
  return {.num_images = done,
          .images_per_s = progress.rate(),
          .skipped = loader.skipped(),
          .notes = loader.notes()};
}

}  // namespace calotype
