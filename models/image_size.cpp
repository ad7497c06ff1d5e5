#include "models/image_size.h"

#include <algorithm>

#include "images/transforms.h"
#include "nn/padding.h"

namespace calotype {

std::vector<int64_t> image_size_of(const StoreReader& store) {
  Preprocessing how;
  if (!store.info().preprocessing.empty())
    read_config(store.info().preprocessing, how, store.path().string());
  if (how.size > 0) return {how.size, how.size};
  const auto sizes = store.sizes();
  if (sizes.empty()) return {};
  const auto [height, width] = sizes.front();
  const bool all_alike =
      std::all_of(sizes.begin(), sizes.end(),
                  [&](const auto& size) { return size == sizes.front(); });
  if (!all_alike || height <= 0 || width <= 0) return {};
  return {height, width};
}

at::Tensor cut_to(const at::Tensor& images,
                  const std::vector<int64_t>& image_size) {
  if (image_size.empty()) return images;
  return crop_to(images, std::min(image_size[0], images.size(2)),
                 std::min(image_size[1], images.size(3)));
}

}  // namespace calotype
