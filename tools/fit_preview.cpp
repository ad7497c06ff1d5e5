#include "tools/fit_preview.h"

#include <torch/types.h>

#include <algorithm>
#include <numeric>

#include "core/stop_signal.h"
#include "datasets/loader.h"
#include "nn/latent_preview.h"
#include "nn/padding.h"
#include "store/latent_store.h"

namespace calotype {
namespace {

/// Half a million cells of a 32x32 grid, for a few dozen coefficients.
constexpr int64_t kMaxImages = 512;

/// Rows of `store` that are evenly spread over the source, by position there.
std::vector<int64_t> chosen_rows(const std::vector<int64_t>& indices) {
  std::vector<int64_t> rows(indices.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) {
    return indices[size_t(a)] < indices[size_t(b)];
  });
  const auto size = int64_t(rows.size()), count = std::min(size, kMaxImages);
  std::vector<int64_t> chosen;
  for (int64_t k = 0; k < count; ++k)
    chosen.push_back(rows[size_t(k * size / count)]);
  return chosen;
}

}  // namespace

std::optional<PreviewMap> fit_preview(
    const std::filesystem::path& store,
    const std::shared_ptr<const ImageSource>& source,
    const Preprocessing& preprocessing, const LatentCodec& codec,
    int num_workers) {
  const StoreReader reader(store, /*allow_incomplete=*/true);
  const auto indices = reader.indices();
  std::vector<bool> skip(size_t(source->size()), true);
  std::vector<int64_t> row_of(size_t(source->size()));  // where not skipped
  for (const auto row : chosen_rows(indices)) {
    const auto index = size_t(indices[size_t(row)]);
    skip[index] = false;
    row_of[index] = row;
  }
  // One at a time: images may be large, and sums are image by image.
  Loader loader(source, preprocessing,
                {.batch_size = 1,
                 .shuffle = false,
                 .num_workers = num_workers,
                 .prefetch = 1},
                0, 0, &skip);
  PreviewFit fit;
  while (const auto batch = loader.next()) {
    auto rows = torch::empty_like(batch->indices);
    for (int64_t i = 0; i < rows.size(0); ++i)
      rows[i] = row_of[size_t(batch->indices[i].item<int64_t>())];
    const auto latents = reader.gather(rows).grid.mean;
    const auto images = pad_to_multiple(batch->images, codec.downsample());
    fit.add(latents,
            torch::avg_pool2d(images, {images.size(2) / latents.size(2),
                                       images.size(3) / latents.size(3)}));
    throw_if_stopped();
  }
  if (fit.num_images() == 0) return {};
  return fit.fit();
}

}  // namespace calotype
