#include "tools/reconstruct.h"

#include <torch/torch.h>

#include "core/files.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "tools/codec.h"
#include "tools/image_files.h"
#include "tools/round_trip.h"
#include "tools/skipped.h"

namespace calotype {
namespace {

constexpr int64_t kGridImages = 64;
constexpr int64_t kGridPairs = 6;  // a row: original, reconstruction, six times

}  // namespace

Json reconstruct(const ReconstructJob& given) {
  auto job = given;
  const auto codec = load_codec(job.codec, job.device);
  job.preprocessing.channels = codec.codec->image_channels();
  const std::shared_ptr<const ImageSource> source = open_source(job.data);
  Loader loader(source, job.preprocessing,
                {.batch_size = job.batch_size,
                 .shuffle = false,
                 .strict = job.strict,
                 .num_workers = job.num_workers});
  const torch::InferenceMode inference;
  const auto total =
      job.limit > 0 ? std::min(job.limit, source->size()) : source->size();
  ImageFolderWriter writer(job.out);
  Progress progress("reconstruct", total, "images");
  std::vector<at::Tensor> pairs;
  int64_t done = 0;
  while (done < total) {
    const auto batch = loader.next();
    if (!batch) break;
    const auto decoded = round_trip(*codec.codec, batch->images, job.device);
    for (int64_t i = 0; i < batch->images.size(0) && done < total;
         ++i, ++done) {
      const auto pair = torch::stack({batch->images[i], decoded[i]});
      writer.write(batch->names[size_t(i)], torch::cat({pair[0], pair[1]}, 2),
                   {{"Software", version_text()},
                    {"calotype", Json{{"codec", codec.sha256}}.dump()}});
      const bool same_shape =
          pairs.empty() || pairs.front().sizes() == pair.sizes();
      if (same_shape && int64_t(pairs.size()) < kGridImages)
        pairs.push_back(pair);
    }
    progress.update(done);
    throw_if_stopped();
  }
  progress.finish();
  if (!pairs.empty()) {
    const auto shown = torch::cat(pairs);
    write_file_atomic(grid_file(job.out),
                      encode_png(image_grid(shown, 2 * kGridPairs,
                                            shown.size(3) < 64 ? 2 : 1)));
  }
  Json result{{"folder", job.out.string()},
              {"images", done},
              {"images_per_s", progress.rate()}};
  report_skipped(result, loader.skipped());
  return result;
}

}  // namespace calotype
