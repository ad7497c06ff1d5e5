#include <torch/types.h>

#include <array>
#include <utility>

#include "core/config.h"
#include "evaluation/fidelity.h"

// What is known of images, as a file of blocks keeps it.
namespace calotype {
namespace {

constexpr const char* kFidelity = "fidelity";
constexpr int64_t kMeasures = 4 + int64_t(kMaxLpips);
constexpr int64_t kNumbers = 4;

}  // namespace

void Fidelity::keep(TensorFile& file) const {
  const auto images = distortion_.images();
  auto measures = torch::empty({std::ssize(images), kMeasures}, torch::kDouble);
  auto numbers = torch::empty({std::ssize(images), kNumbers}, torch::kLong);
  auto* measure = measures.data_ptr<double>();
  auto* number = numbers.data_ptr<int64_t>();
  for (const auto& image : images) {
    for (const auto value : {image.mse, image.mae, image.ssim, image.ms_ssim})
      *measure++ = value;
    for (const auto value : image.lpips) *measure++ = value;
    for (const auto value : {image.sample, image.label, int64_t{image.height},
                             int64_t{image.width}})
      *number++ = value;
  }
  file.tensors["measures"] = measures;
  file.tensors["images"] = numbers;
  file.tensors["hashes"] = hash_.table();
  file.metadata[kFidelity] = json_text({{"num_pixels", num_pixels_},
                                        {"num_values", num_values_},
                                        {"channels", channels_},
                                        {"is_one_colouring", is_one_colouring_},
                                        {"num_greyed", num_greyed_},
                                        {"file_bytes", file_bytes_},
                                        {"source_pixels", source_pixels_},
                                        {"stored_bytes", stored_bytes_},
                                        {"knows_bytes", knows_bytes_},
                                        {"all_have_files", all_have_files_},
                                        {"is_resized", is_resized_}});
}

void Fidelity::add(const TensorFile& file) {
  const auto measures = file.tensors.at("measures").contiguous();
  const auto numbers = file.tensors.at("images").contiguous();
  const auto* measure = measures.data_ptr<double>();
  const auto* number = numbers.data_ptr<int64_t>();
  std::vector<ImageDistortion> images(size_t(numbers.size(0)));
  for (auto& image : images) {
    for (auto* value : {&image.mse, &image.mae, &image.ssim, &image.ms_ssim})
      *value = *measure++;
    for (auto& value : image.lpips) value = *measure++;
    image.sample = number[0];
    image.label = number[1];
    image.height = int32_t(number[2]);
    image.width = int32_t(number[3]);
    number += kNumbers;
  }
  distortion_.add(images);
  hash_.add(file.tensors.at("hashes"));
  const auto json = Json::parse(file.metadata.at(kFidelity));
  const auto channels = json.at("channels").get<int64_t>();
  num_pixels_ += json.at("num_pixels").get<int64_t>();
  num_values_ += json.at("num_values").get<int64_t>();
  is_one_colouring_ &= json.at("is_one_colouring").get<bool>() &&
                       (channels_ == 0 || channels_ == channels);
  channels_ = channels;
  num_greyed_ += json.at("num_greyed").get<int64_t>();
  file_bytes_ += json.at("file_bytes").get<int64_t>();
  source_pixels_ += json.at("source_pixels").get<int64_t>();
  stored_bytes_ += json.at("stored_bytes").get<double>();
  knows_bytes_ &= json.at("knows_bytes").get<bool>();
  all_have_files_ &= json.at("all_have_files").get<bool>();
  is_resized_ |= json.at("is_resized").get<bool>();
}

}  // namespace calotype
