#include "explorer/explorer.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/base64.h"
#include "core/error.h"
#include "images/image_io.h"
#include "models/round_trip.h"
#include "report/heat_map.h"

namespace calotype {
namespace {

constexpr size_t kKeptImages = 16;
constexpr int64_t kMaxPictures = 1024;  // on one sheet
constexpr int64_t kMaxSheetPixels = int64_t{16} << 20;
constexpr int64_t kThumbnail = 32;  // pixels, of larger images

std::string data_url(const Image& image) {
  return "data:image/png;base64," + base64(encode_png(image));
}

/// Floats, little-endian.
std::string packed(const at::Tensor& numbers) {
  const auto floats = numbers.to(at::kCPU, at::kFloat).contiguous();
  return base64({static_cast<const uint8_t*>(floats.data_ptr()),
                 size_t(floats.nbytes())});
}

int64_t product(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1},
                         std::multiplies<>());
}

/// Of [N,C,H,W], to levels of 8 bits and back, as a viewer sees them.
at::Tensor as_seen(const at::Tensor& image) {
  return to_tensor(to_image(image[0])).unsqueeze(0);
}

/// Pictures of one size, without gaps, in about as many rows as columns.
Json sheet_of(const at::Tensor& images) {
  const auto count = images.size(0);
  const auto columns = int64_t(std::ceil(std::sqrt(double(count))));
  return {{"picture", data_url(image_grid(images, columns, 1, 0))},
          {"columns", columns},
          {"count", count},
          {"height", images.size(2)},
          {"width", images.size(3)}};
}

std::vector<double> numbers_of(const at::Tensor& numbers) {
  const auto row = numbers.to(at::kDouble).contiguous();
  const auto* first = row.data_ptr<double>();
  return {first, first + row.numel()};
}

int64_t whole(const Json& request, const char* key, int64_t low, int64_t high,
              std::optional<int64_t> otherwise = {}) {
  if (!request.contains(key) && otherwise) return *otherwise;
  if (!request.contains(key) || !request[key].is_number_integer())
    throw ConfigError(fmt::format("\"{}\" must be a whole number", key));
  const auto value = request[key].get<int64_t>();
  if (value < low || value > high)
    throw ConfigError(fmt::format("\"{}\" must be in [{}, {}], got {}", key,
                                  low, high, value));
  return value;
}

const Json& list(const Json& request, const char* key) {
  if (!request.contains(key) || !request[key].is_array())
    throw ConfigError(fmt::format("\"{}\" must be a list", key));
  return request[key];
}

}  // namespace

Explorer::Explorer(LoadedCodec codec, std::optional<CodeSet> set,
                   Preprocessing preprocessing, Json facts, c10::Device device)
    : codec_(std::move(codec)),
      set_(std::move(set)),
      preprocessing_(set_ ? set_->preprocessing : std::move(preprocessing)),
      facts_(std::move(facts)),
      device_(device) {
  fit_preprocessing(codec_, preprocessing_);
  if (set_) {
    grid_shape_ = set_->grid_shape;
    image_size_ = set_->image_size;
    return;
  }
  // Until an image says more.
  const auto edge = codec_.codec->fixed_size().value_or(
      preprocessing_.size > 0 ? preprocessing_.size
                              : 8 * codec_.codec->downsample());
  preprocessing_.size = edge;
  const auto f = codec_.codec->downsample();
  image_size_ = {edge, edge};
  grid_shape_ = {codec_.codec->latent_channels(), (edge + f - 1) / f,
                 (edge + f - 1) / f};
}

Json Explorer::model() const {
  Json json{
      {"class", codec_.class_name},
      {"path", codec_.path.filename().string()},
      {"sha256", codec_.sha256},
      {"image",
       {codec_.codec->image_channels(), image_size_[0], image_size_[1]}},
      {"code", grid_shape_},
      {"has_variance", codec_.codec->has_variance()},
      {"has_prior", codec_.codec->prior_size().has_value()},
      {"num_codes", codec_.tokenizer ? codec_.tokenizer->num_codes() : 0}};
  json.update(facts_);
  if (!set_) return json;
  json["set"] = {{"spec", set_->spec},
                 {"count", set_->size()},
                 {"originals", set_->images != nullptr},
                 {"classes", set_->class_names},
                 {"typical", typical_rows(*set_, 10)},
                 {"labels", Json::array()},
                 {"names", set_->names}};
  auto& labels = json["set"]["labels"];
  for (int64_t i = 0; i < set_->size(); ++i)
    labels.push_back(set_->labels[i].item<int64_t>());
  const auto& means = set_->mean;
  json["set"]["mean"] = numbers_of(means.mean(0, false, at::kDouble));
  json["set"]["std"] =
      numbers_of(set_->size() > 1 ? means.to(at::kDouble).std(0)
                                  : at::zeros_like(means[0]));
  if (!set_->logvar.defined()) return json;
  // Of each number, the divergence of its Gaussian from the prior, in nats,
  // and whether its mean says anything of the image (arXiv:1509.00519,
  // section 5.2: a variance above 0.01).
  auto kl = at::zeros({set_->mean.size(1)}, at::kDouble);
  for (int64_t at = 0; at < set_->size(); at += 8192) {
    const auto mean = set_->mean.slice(0, at, at + 8192).to(at::kDouble);
    const auto logvar = set_->logvar.slice(0, at, at + 8192).to(at::kDouble);
    kl += (mean.square() + logvar.exp() - 1 - logvar).sum(0) / 2;
  }
  kl /= set_->size();
  json["set"]["kl_nats"] = kl.sum().item<double>();
  if (set_->size() > 1)
    json["set"]["active"] = set_->mean.var(0).gt(0.01).sum().item<int64_t>();
  return json;
}

CodePlane Explorer::plane_of(const Json& request) const {
  if (!set_) throw ConfigError("there is no set of codes to show");
  if (!request.contains("numbers")) return usual_plane(*set_);
  const auto& numbers = list(request, "numbers");
  if (numbers.size() != 2 || !numbers[0].is_number_integer() ||
      !numbers[1].is_number_integer())
    throw ConfigError("\"numbers\" must be two whole numbers");
  return plane_of_numbers(*set_, numbers[0].get<int64_t>(),
                          numbers[1].get<int64_t>());
}

Json Explorer::plane(const Json& request) const {
  const auto plane = plane_of(request);
  Json json{{"labels", plane.labels},
            {"shares", plane.shares},
            {"origin", packed(plane.origin)},
            {"directions", packed(plane.directions)},
            {"points", packed(plane.points)},
            {"usual_distance", usual_distance(*set_)}};
  if (set_->logvar.defined())
    json["spread"] = packed(plane.spread_of(set_->logvar));
  return json;
}

Json Explorer::off_plane(const Json& request) const {
  const auto plane = plane_of(request);
  const auto code = code_of(list(request, "code"));
  return {
      {"squared_distances", packed(squared_distances_off(*set_, plane, code))}};
}

at::Tensor Explorer::code_of(const Json& numbers) const {
  const auto count = product(grid_shape_);
  if (!numbers.is_array() || int64_t(numbers.size()) != count)
    throw ConfigError(fmt::format("a code has {} numbers, got {}", count,
                                  numbers.is_array() ? numbers.size() : 0));
  std::vector<float> values;
  values.reserve(numbers.size());
  for (const auto& number : numbers) {
    if (!number.is_number()) throw ConfigError("a code is made of numbers");
    values.push_back(number.get<float>());
    if (!std::isfinite(values.back()))
      throw ConfigError("a code is made of numbers that a float holds");
  }
  return at::tensor(values).view(grid_shape_).unsqueeze(0);
}

at::Tensor Explorer::decoded(const at::Tensor& codes) const {
  const c10::InferenceMode inference;
  return decode_images(*codec_.codec, codes.to(device_), image_size_[0],
                       image_size_[1]);
}

void Explorer::keep(const std::string& name, const at::Tensor& image) {
  std::erase_if(kept_, [&](const auto& kept) { return kept.first == name; });
  kept_.emplace_back(name, image);
  if (kept_.size() > kKeptImages) kept_.pop_front();
}

at::Tensor Explorer::original(const std::string& name) {
  for (const auto& [known, image] : kept_)
    if (known == name) return image;
  if (!name.starts_with("row ") || !set_) return {};
  const auto row = whole({{"row", json_or_text(name.substr(4))}}, "row", 0,
                         set_->size() - 1);
  const auto image = image_of(*set_, row);
  if (image.defined()) keep(name, image);
  return image;
}

Json Explorer::beside(const at::Tensor& image,
                      const at::Tensor& original) const {
  // What evaluate compares: the bytes that a viewer sees, in [0,1].
  const auto difference = (as_seen(image) - as_seen(original)) / 2;
  const auto mse = difference.square().mean().item<double>();
  const auto map = difference.abs().mean(1);  // [1,H,W]
  const auto largest = map.max().item<double>();
  return {
      {"mse", mse},
      {"psnr_db", mse > 0 ? Json(-10 * std::log10(mse)) : Json()},
      {"largest", largest},  // of the map, which is white there
      {"map", data_url(to_image(heat_map(largest > 0 ? map / largest : map)))}};
}

Json Explorer::encode(const Json& request) {
  at::Tensor image, mean, logvar;
  std::string name;
  Json json;
  if (request.contains("row")) {
    if (!set_) throw ConfigError("there is no set of codes to take one of");
    const auto row = whole(request, "row", 0, set_->size() - 1);
    name = fmt::format("row {}", row);
    image = original(name);
    mean = set_->mean[row];
    if (set_->logvar.defined()) logvar = set_->logvar[row];
    json["name"] = set_->names[size_t(row)];
    json["label"] = set_->labels[row].item<int64_t>();
  } else {
    if (!request.contains("image") || !request["image"].is_string())
      throw ConfigError("give \"row\", or a file as base64 in \"image\"");
    const auto bytes = from_base64(request["image"].get<std::string>());
    name = fmt::format("image {}", num_given_++);
    auto how = preprocessing_;
    how.channels = codec_.codec->image_channels();
    if (image_size_[0] == image_size_[1]) how.size = image_size_[0];
    image =
        to_tensor(preprocess(decode_image(bytes, "image", limits_of(how)), how))
            .unsqueeze(0);
    if (image.size(2) != image_size_[0] || image.size(3) != image_size_[1])
      throw ConfigError(fmt::format(
          "the set's images are of {}x{}, this is {}x{}", image_size_[1],
          image_size_[0], image.size(3), image.size(2)));
    const c10::InferenceMode inference;
    const auto grid = encode_images(*codec_.codec, image, device_);
    mean = grid.mean[0].flatten().to(at::kCPU);
    if (grid.logvar.defined()) logvar = grid.logvar[0].flatten().to(at::kCPU);
    keep(name, image);
  }
  const auto back = decoded(mean.to(at::kFloat).view(grid_shape_).unsqueeze(0));
  json["original"] = name;
  json["code"] = packed(mean);
  if (logvar.defined()) json["logvar"] = packed(logvar);
  if (image.defined()) {
    json["picture"] = data_url(to_image(image[0]));
    json["error"] = beside(back, image);
  }
  json["decoded"] = data_url(to_image(back[0]));
  return json;
}

Json Explorer::decode(const Json& request) {
  const auto image = decoded(code_of(list(request, "code")));
  Json json{{"decoded", data_url(to_image(image[0]))}};
  if (request.contains("original") && request["original"].is_string())
    if (const auto first = original(request["original"].get<std::string>());
        first.defined())
      json["error"] = beside(image, first);
  return json;
}

Json Explorer::sheet(const Json& request) const {
  const auto& codes = list(request, "codes");
  const auto most = std::min(
      kMaxPictures, std::max<int64_t>(1, kMaxSheetPixels / (image_size_[0] *
                                                            image_size_[1])));
  if (codes.empty() || int64_t(codes.size()) > most)
    throw ConfigError(fmt::format("a sheet is of 1 to {} pictures, got {}",
                                  most, codes.size()));
  std::vector<at::Tensor> all;
  for (const auto& code : codes) all.push_back(code_of(code));
  return sheet_of(decoded(at::cat(all)));
}

Json Explorer::nearest(const Json& request) const {
  if (!set_) throw ConfigError("there is no set of codes to look in");
  const auto code = code_of(list(request, "code"));
  const auto count = whole(request, "count", 1, 1000, 8);
  Json found = Json::array();
  for (const auto& near : nearest_codes(*set_, code, count))
    found.push_back({{"row", near.row},
                     {"distance", near.distance},
                     {"name", set_->names[size_t(near.row)]},
                     {"label", set_->labels[near.row].item<int64_t>()}});
  return {{"nearest", found}};
}

Json Explorer::thumbnails(const Json& request) {
  if (!set_) throw ConfigError("there is no set of images to show");
  const auto& rows = list(request, "rows");
  if (rows.empty() || int64_t(rows.size()) > kMaxPictures)
    throw ConfigError(fmt::format("1 to {} rows are shown at once, got {}",
                                  kMaxPictures, rows.size()));
  const auto scale =
      std::min(1.0, double(kThumbnail) /
                        double(std::max(image_size_[0], image_size_[1])));
  const auto edge = [&](int64_t size) {
    return std::max<int64_t>(1, std::llround(double(size) * scale));
  };
  const std::vector<int64_t> small{edge(image_size_[0]), edge(image_size_[1])};
  std::vector<at::Tensor> all;
  for (const auto& which : rows) {
    const auto row = whole({{"row", which}}, "row", 0, set_->size() - 1);
    auto image = image_of(*set_, row);
    if (!image.defined())
      image = decoded(set_->mean[row].view(grid_shape_).unsqueeze(0));
    if (scale < 1) image = at::adaptive_avg_pool2d(image, small);
    if (image.size(1) == 1) image = image.expand({1, 3, small[0], small[1]});
    all.push_back(image);
  }
  return sheet_of(at::cat(all));
}

}  // namespace calotype
