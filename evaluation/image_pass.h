#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "core/progress.h"
#include "core/runtime.h"
#include "core/slices.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"

namespace calotype {

/// What an earlier pass met.
struct ImagePass {
  int64_t num_images = 0;
  double seconds = 0;
  double images_per_s = 0;
  std::vector<SkippedImage> skipped;
  PassNotes notes;
};

/// Runs `visit(batch)` over the images of `source` in order, as `job` says
/// (preprocessing, batch_size, num_workers, strict; max_batch_pixels,
/// images_per_block and own_channels if it has them), with progress unless
/// `label` is null; only the first `limit` images if that is above 0, only
/// those of the index that are in `range` if that is not null.
template <class Job, class Visit>
ImagePass for_each_batch(const Job& job, const char* label,
                         std::shared_ptr<const ImageSource> source,
                         int64_t limit, Visit&& visit,
                         const Slice* range = nullptr) {
  LoaderConfig config{.batch_size = job.batch_size,
                      .shuffle = false,
                      .strict = job.strict,
                      .num_workers = job.num_workers};
  config.max_batch_pixels = kUsualBatchPixels;
  if constexpr (requires { job.max_batch_pixels; })
    if (job.max_batch_pixels > 0)
      config.max_batch_pixels = job.max_batch_pixels;
  if constexpr (requires { job.images_per_block; })
    config.images_per_block = job.images_per_block;
  if constexpr (requires { job.own_channels; })
    config.own_channels = job.own_channels;
  if (range) config.end = range->end;
  Loader loader(source, job.preprocessing, config, 0, range ? range->begin : 0);
  auto total = limit > 0 ? std::min(limit, source->size()) : source->size();
  if (range) total = std::min(total, range->size());
  std::optional<Progress> progress;
  if (label) progress.emplace(label, total, "images");
  const double begin = monotonic_s();
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
    done += batch->images.size(0);
    if (progress) progress->update(done);
    throw_if_stopped();
  }
  if (progress) progress->finish();
  const double seconds = std::max(monotonic_s() - begin, 1e-9);
  return {.num_images = done,
          .seconds = seconds,
          .images_per_s = double(done) / seconds,
          .skipped = loader.skipped(),
          .notes = loader.notes()};
}

}  // namespace calotype
