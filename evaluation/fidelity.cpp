#include "evaluation/fidelity.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "core/check.h"
#include "core/error.h"
#include "metrics/rate.h"
#include "metrics/ssim.h"
#include "metrics/uncertainty.h"
#include "report/csv.h"
#include "report/result_text.h"

namespace calotype {
namespace {

constexpr size_t kMaxSizes = 12;  // more are put together by powers of two

/// One number of each image, by name.
struct Column {
  std::string name;
  std::vector<double> values;
};

std::vector<Column> columns_of(
    const std::vector<ImageDistortion>& images,
    const std::vector<std::shared_ptr<const Lpips>>& networks) {
  std::vector<Column> columns;
  const auto add = [&](const std::string& name, auto value_of) {
    Column column{name, {}};
    column.values.reserve(images.size());
    for (const auto& image : images) column.values.push_back(value_of(image));
    columns.push_back(std::move(column));
  };
  using Image = ImageDistortion;
  add("mse", [](const Image& image) { return image.mse; });
  add("mae", [](const Image& image) { return image.mae; });
  add("ssim", [](const Image& image) { return image.ssim; });
  add("ms_ssim", [](const Image& image) { return image.ms_ssim; });
  for (size_t i = 0; i < networks.size(); ++i)
    add("lpips_" + networks[i]->network(),
        [i](const Image& image) { return image.lpips[i]; });
  // Not measured, as multi-scale SSIM of small images.
  std::erase_if(columns, [](const Column& column) {
    return std::ranges::any_of(column.values,
                               [](double v) { return std::isnan(v); });
  });
  return columns;
}

int64_t num_multi_scale(const std::vector<ImageDistortion>& images) {
  return std::ranges::count_if(images, [](const ImageDistortion& image) {
    return !std::isnan(image.ms_ssim);
  });
}

at::Tensor table_of(const std::vector<Column>& columns) {
  std::vector<at::Tensor> table;
  for (const auto& column : columns)
    table.push_back(torch::tensor(column.values, torch::kDouble));
  return torch::stack(table, 1);
}

Json intervals_of(const std::vector<Column>& columns, uint64_t seed) {
  Json intervals = Json::object();
  if (std::ssize(columns.front().values) < kFewestForInterval) return intervals;
  const auto found = bootstrap_means(table_of(columns), seed);
  for (size_t i = 0; i < columns.size(); ++i)
    intervals[columns[i].name] = {found[i].low, found[i].high};
  std::vector<double> decibels;
  for (const auto mse : columns.front().values)
    if (mse > 0) decibels.push_back(psnr_db(mse));
  if (std::ssize(decibels) >= kFewestForInterval) {
    const auto interval =
        bootstrap_means(torch::tensor(decibels, torch::kDouble).unsqueeze(1),
                        seed)
            .at(0);
    intervals["psnr_db_mean_over_images"] = {interval.low, interval.high};
  }
  // Ends of percentile intervals go through monotone maps.
  intervals["psnr_db_of_mean_mse"] = {number_or_null(psnr_db(found[0].high)),
                                      number_or_null(psnr_db(found[0].low))};
  return intervals;
}

/// Means over some of the images.
class Group {
 public:
  void add(const ImageDistortion& image) {
    ++count_;
    mse_ += image.mse;
    ssim_ += image.ssim;
  }

  Json json() const {
    const auto count = double(count_);
    return {{"images", count_},
            {"mse", mse_ / count},
            {"psnr_db_of_mean_mse", number_or_null(psnr_db(mse_ / count))},
            {"ssim", ssim_ / count}};
  }

 private:
  int64_t count_ = 0;
  double mse_ = 0, ssim_ = 0;
};

template <class Key>
Json groups_json(const std::map<Key, std::pair<std::string, Group>>& groups) {
  Json json = Json::object();
  if (groups.size() < 2) return json;
  for (const auto& [key, group] : groups)
    json[group.first] = group.second.json();
  return json;
}

}  // namespace

Rounding rounding_of(const std::string& word) {
  check_one_of("evaluate", "rounding", word, {"round", "truncate", "float"});
  if (word == "truncate") return Rounding::kTruncate;
  return word == "float" ? Rounding::kNone : Rounding::kRound;
}

Fidelity::Fidelity(DistortionOptions options)
    : distortion_(std::move(options)) {}

void Fidelity::add(const ImageBatch& batch, const Reconstructed& made) {
  distortion_.add(batch.images, made.images, batch.labels, batch.indices);
  hash_.add(batch.indices, batch.hashes);
  const auto N = batch.images.size(0);
  const auto H = batch.images.size(2), W = batch.images.size(3);
  num_pixels_ += N * H * W;
  num_values_ += batch.images.numel();
  if (batch.images.size(1) == 1)
    num_greyed_ += std::ranges::count(batch.channels, 3);
  is_one_colouring_ &= channels_ == 0 || channels_ == batch.images.size(1);
  channels_ = batch.images.size(1);
  for (const auto& [height, width] : batch.sizes) {
    source_pixels_ += int64_t{height} * width;
    is_resized_ |= height != H || width != W;
  }
  for (const auto bytes : batch.file_bytes) {
    file_bytes_ += bytes;
    all_have_files_ &= bytes > 0;
  }
  if (made.stored_bytes.defined())
    stored_bytes_ += made.stored_bytes.sum().item<double>();
  else
    knows_bytes_ = false;
}

Json Fidelity::preprocessing(Preprocessing asked) const {
  if (!is_resized_) {
    const Preprocessing none;
    asked.size = none.size;
    asked.resize = none.resize;
    asked.crop = none.crop;
  }
  asked.channels = is_one_colouring_ ? channels_ : 0;
  return preprocessing_record(asked);
}

Json Fidelity::rates() const {
  Json rates = Json::object();
  if (knows_bytes_) {
    const auto rate = measure_rate(stored_bytes_, num_pixels_, num_values_);
    rates["rate_bpp"] = rate.rate_bpp;
    rates["compression_ratio"] = rate.compression_ratio;
  }
  if (all_have_files_)
    rates["source_file_bpp"] = 8 * double(file_bytes_) / double(source_pixels_);
  if (knows_bytes_ && all_have_files_ && !is_resized_ && num_greyed_ == 0)
    rates["compression_ratio_of_files"] = double(file_bytes_) / stored_bytes_;
  return rates;
}

Json Fidelity::breakdown(const ImageSource& source) const {
  const auto names = source.class_names();
  std::map<int64_t, std::pair<std::string, Group>> classes;
  std::map<std::array<int32_t, 2>, std::pair<std::string, Group>> sizes;
  std::map<int, std::pair<std::string, Group>> ranges;
  for (const auto& image : distortion_.images()) {
    if (image.label >= 0 && image.label < std::ssize(names)) {
      auto& group = classes[image.label];
      group.first = names[size_t(image.label)];
      group.second.add(image);
    }
    const auto shorter = uint32_t(std::min(image.height, image.width));
    auto& same = sizes[{image.height, image.width}];
    same.first = fmt::format("{}x{}", image.width, image.height);
    same.second.add(image);
    const auto from = std::bit_floor(shorter);
    auto& range = ranges[int(from)];
    range.first = fmt::format("{} to {} pixels", from, 2 * from - 1);
    range.second.add(image);
  }
  return {{"per_class", groups_json(classes)},
          {"per_size", sizes.size() <= kMaxSizes ? groups_json(sizes)
                                                 : groups_json(ranges)}};
}

Json Fidelity::result(const ImageSource& source,
                      const std::vector<std::shared_ptr<const Lpips>>& networks,
                      uint64_t seed) const {
  const auto summary = distortion_.summary();
  const auto images = distortion_.images();
  const auto columns = columns_of(images, networks);
  Json result{
      {"data", source.spec()},
      {"images", summary.num_images},
      {"images_without_error", summary.num_identical},
      {"mse", summary.mse},
      {"mae", summary.mae},
      {"psnr_db_mean_over_images", number_or_null(summary.mean_psnr_db)},
      {"psnr_db_of_mean_mse", number_or_null(summary.psnr_db_of_mean_mse)},
      {"ssim", summary.ssim}};
  if (std::isfinite(summary.ms_ssim)) result["ms_ssim"] = summary.ms_ssim;
  for (size_t i = 0; i < networks.size(); ++i)
    result["lpips_" + networks[i]->network()] = summary.lpips[i];
  result.update(rates());
  if (num_greyed_ > 0)
    add_note(result, fmt::format("{} of the images are stored in colour and "
                                 "were compared as grey",
                                 num_greyed_));
  if (const auto large = num_multi_scale(images);
      large > 0 && large < summary.num_images)
    add_note(result,
             fmt::format("MS-SSIM is left out: {} of the images are below {} "
                         "pixels a side",
                         summary.num_images - large, kSmallestMultiScaleSide));
  result["intervals"] = intervals_of(columns, seed);
  result["breakdown"] = breakdown(source);
  Json per_image{{"index", Json::array()}};
  for (const auto& image : images) per_image["index"].push_back(image.sample);
  for (const auto& column : columns) per_image[column.name] = column.values;
  result["samples"] = {{"per_image", per_image}};
  return result;
}

std::string Fidelity::csv(
    const ImageSource& source,
    const std::vector<std::shared_ptr<const Lpips>>& networks) const {
  const auto names = source.class_names();
  const auto images = distortion_.images();
  const auto columns = columns_of(images, networks);
  std::string text = "index,name,class,width,height,psnr_db";
  for (const auto& column : columns) text += "," + column.name;
  text += "\n";
  for (size_t i = 0; i < images.size(); ++i) {
    const auto& image = images[i];
    text += fmt::format(
        "{},{},{},{}",
        csv_row_head(image.sample, source.name(image.sample), image.label,
                     names),
        image.width, image.height,
        image.mse > 0 ? fmt::format("{:.8g}", image.psnr_db()) : "inf");
    for (const auto& column : columns)
      text += fmt::format(",{:.8g}", column.values[i]);
    text += "\n";
  }
  return text;
}

}  // namespace calotype
