#include "evaluation/report_pictures.h"

#include <torch/types.h>

#include <algorithm>
#include <map>

#include "core/check.h"
#include "core/error.h"
#include "datasets/loader.h"
#include "evaluation/fidelity.h"
#include "images/image_io.h"
#include "images/png_recipe.h"
#include "images/resample.h"
#include "metrics/distortion.h"
#include "report/heat_map.h"

namespace calotype {
namespace {

constexpr int64_t kLargestSide = 256;  // of a picture on a page

/// [C,H,W] in [-1,1], shrunk if it is large, in three channels.
at::Tensor thumbnail(const at::Tensor& picture) {
  auto image = to_image(picture);
  const auto longer = std::max(image.height, image.width);
  if (longer > kLargestSide) {
    const auto scaled = [&](int64_t side) {
      return std::max<int64_t>(1, side * kLargestSide / longer);
    };
    image = resample(image, scaled(image.height), scaled(image.width),
                     Kernel::kTriangle);
  }
  return to_tensor(image).expand({3, -1, -1});
}

/// Pictures beside each other, of any sizes and colours, set on white.
std::vector<uint8_t> strip_png(const std::vector<at::Tensor>& pictures) {
  std::vector<at::Tensor> thumbnails;
  int64_t height = 0, width = 0;
  for (const auto& picture : pictures) {
    thumbnails.push_back(thumbnail(picture));
    height = std::max(height, thumbnails.back().size(1));
    width = std::max(width, thumbnails.back().size(2));
  }
  auto strip = torch::ones({int64_t(thumbnails.size()), 3, height, width});
  for (size_t i = 0; i < thumbnails.size(); ++i)
    strip[int64_t(i)]
        .narrow(1, 0, thumbnails[i].size(1))
        .narrow(2, 0, thumbnails[i].size(2))
        .copy_(thumbnails[i]);
  return encode_png(image_grid(strip, strip.size(0)), by_product_text("strip"));
}

}  // namespace

Examples draw_examples(const EvaluateJob& job,
                       std::shared_ptr<const ImageSource> source,
                       Reconstructor& reconstructor,
                       const std::vector<int64_t>& indices) {
  std::vector<bool> skip(size_t(source->size()), true);
  for (const auto index : indices) skip[size_t(index)] = false;
  LoaderConfig config;
  config.batch_size = job.batch_size;
  config.shuffle = false;
  config.num_workers = job.num_workers;
  config.own_channels = job.own_channels;
  Loader loader(source, job.preprocessing, config, 0, 0, &skip);
  std::map<int64_t, at::Tensor> originals, reconstructions, errors;
  Examples examples;
  while (const auto batch = loader.next()) {
    const auto made = rounded(reconstructor.reconstruct(*batch).images,
                              rounding_of(job.rounding));
    const auto error = (made - batch->images).abs().mean(1, true) / 2;
    for (int64_t i = 0; i < batch->images.size(0); ++i) {
      const auto index = batch->indices[i].item<int64_t>();
      originals[index] = batch->images[i];
      reconstructions[index] = made[i];
      errors[index] = error[i];
      examples.largest_error =
          std::max(examples.largest_error, error[i].max().item<double>());
    }
  }
  std::vector<at::Tensor> before, after, maps;
  for (const auto index : indices) {
    before.push_back(originals.at(index));
    after.push_back(reconstructions.at(index));
    maps.push_back(
        heat_map(errors.at(index) / std::max(examples.largest_error, 1e-12)));
  }
  examples.originals = strip_png(before);
  examples.reconstructions = strip_png(after);
  examples.errors = strip_png(maps);
  return examples;
}

std::vector<uint8_t> draw_images(const ImageSource& source,
                                 const std::vector<int64_t>& indices) {
  std::vector<at::Tensor> pictures;
  for (const auto index : indices) try {
      pictures.push_back(to_tensor(source.load(index).image));
    } catch (const DataError&) {  // the result lists it; here it is a blank
      pictures.push_back(torch::ones({1, 1, 1}));
    }
  return pictures.empty() ? std::vector<uint8_t>() : strip_png(pictures);
}

}  // namespace calotype
