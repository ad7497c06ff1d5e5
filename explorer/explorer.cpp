#include "explorer/explorer.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base64.h"
#include "core/error.h"
#include "explorer/answers.h"
#include "images/image_io.h"
#include "models/round_trip.h"
#include "report/heat_map.h"

namespace calotype {
namespace {

constexpr size_t kKeptImages = 16;
constexpr int64_t kMaxPictures = 1024;  // on one sheet
constexpr int64_t kMaxSheetPixels = int64_t{16} << 20;
constexpr int64_t kCodebookGrid = 4;  // cells around a code that stands alone
constexpr int64_t kThumbnail = 32;    // pixels, of larger images

/// Of [N,C,H,W], to levels of 8 bits and back, as a viewer sees them.
at::Tensor as_seen(const at::Tensor& image) {
  return to_tensor(to_image(image[0])).unsqueeze(0);
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
      {"num_codes", codec_.tokenizer ? codec_.tokenizer->num_codes() : 0},
      {"num_levels", codec_.tokenizer ? codec_.tokenizer->num_levels() : 0}};
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

const CodePlane& Explorer::plane_of(const Json& request) const {
  if (!set_) throw ConfigError("there is no set of codes to show");
  const auto name =
      request.contains("numbers") ? json_text(request["numbers"]) : "usual";
  if (name == plane_name_) return plane_;
  plane_ = new_plane(request);
  plane_name_ = name;
  return plane_;
}

CodePlane Explorer::new_plane(const Json& request) const {
  if (!request.contains("numbers")) return usual_plane(*set_);
  const auto& numbers = list_of(request, "numbers");
  if (numbers.size() != 2 || !numbers[0].is_number_integer() ||
      !numbers[1].is_number_integer())
    throw ConfigError("\"numbers\" must be two whole numbers");
  return plane_of_numbers(*set_, numbers[0].get<int64_t>(),
                          numbers[1].get<int64_t>());
}

Json Explorer::plane(const Json& request) const {
  const auto& plane = plane_of(request);
  if (!usual_distance_) usual_distance_ = usual_distance(*set_);
  Json json{{"labels", plane.labels},
            {"shares", plane.shares},
            {"origin", packed(plane.origin)},
            {"directions", packed(plane.directions)},
            {"points", packed(plane.points)},
            {"usual_distance", *usual_distance_}};
  if (set_->logvar.defined())
    json["spread"] = packed(plane.spread_of(set_->logvar));
  return json;
}

Json Explorer::off_plane(const Json& request) const {
  const auto& plane = plane_of(request);
  const auto code = code_of(list_of(request, "code"));
  return {
      {"squared_distances", packed(squared_distances_off(*set_, plane, code))}};
}

at::Tensor Explorer::code_of(const Json& numbers) const {
  return code_from(numbers, grid_shape_);
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
  const auto row = whole_number({{"row", json_or_text(name.substr(4))}}, "row",
                                0, set_->size() - 1);
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
    const auto row = whole_number(request, "row", 0, set_->size() - 1);
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
    if (codec_.tokenizer) {
      const auto tokens = tokens_of(image);
      json["token_shape"] = tokens.sizes().slice(1).vec();
      json["tokens"] = whole_numbers_of(tokens.flatten());
    }
  }
  json["decoded"] = data_url(to_image(back[0]));
  return json;
}

Json Explorer::decode(const Json& request) {
  return with_error(decoded(code_of(list_of(request, "code"))), request);
}

Tokenizer& Explorer::tokenizer() const {
  if (!codec_.tokenizer)
    throw ConfigError(codec_.class_name + " is no tokenizer");
  return *codec_.tokenizer;
}

at::Tensor Explorer::tokens_of(const at::Tensor& image) const {
  const c10::InferenceMode inference;
  return tokenize_images(*codec_.codec, tokenizer(), image, device_);
}

Json Explorer::detokenize(const Json& request) {
  const auto& numbers = list_of(request, "tokens");
  const auto levels = tokenizer().num_levels();
  const auto cells = grid_shape_[1] * grid_shape_[2];
  if (int64_t(numbers.size()) != levels * cells)
    throw ConfigError(fmt::format("a picture has {} tokens, got {}",
                                  levels * cells, numbers.size()));
  std::vector<int64_t> tokens;
  for (const auto& token : numbers)
    tokens.push_back(whole_number({{"token", token}}, "token", 0,
                                  tokenizer().num_codes() - 1));
  const c10::InferenceMode inference;
  const auto image = detokenize_images(
      tokenizer(),
      at::tensor(tokens).view({1, levels, grid_shape_[1], grid_shape_[2]}),
      image_size_[0], image_size_[1], device_);
  return with_error(image, request);
}

Json Explorer::codebook(const Json& request) const {
  auto& tokenizer = this->tokenizer();
  const auto levels = tokenizer.num_levels();
  const auto level = whole_number(request, "level", 0, levels - 1, 0);
  auto usage = at::zeros({tokenizer.num_codes()}, at::kLong);
  auto usual = at::zeros({levels}, at::kLong);
  if (set_ && set_->tokens.defined())
    for (int64_t l = 0; l < levels; ++l) {
      const auto counts =
          set_->tokens.select(1, l).flatten().bincount({}, usage.size(0));
      usual[l] = counts.argmax();
      if (l == level) usage = counts;
    }
  const auto shown = std::min(tokenizer.num_codes(), kMaxPictures);
  const auto codes = std::get<1>(usage.sort(/*stable=*/true, 0, true))
                         .narrow(0, 0, shown)
                         .contiguous();
  // A code by itself, in the middle of a grid of it; levels beside it have the
  // code that they use most.
  const auto h = std::min(grid_shape_[1], kCodebookGrid),
             w = std::min(grid_shape_[2], kCodebookGrid);
  const c10::InferenceMode inference;
  std::vector<at::Tensor> pictures;
  const auto f = codec_.codec->downsample();
  for (const auto& some : codes.split(64)) {
    auto tokens = usual.view({1, levels, 1, 1})
                      .expand({some.size(0), levels, h, w})
                      .clone();
    tokens.select(1, level).copy_(some.view({-1, 1, 1}));
    auto images = detokenize_images(tokenizer, tokens, h * f, w * f, device_);
    const auto top = h / 4 * f, left = w / 4 * f;
    pictures.push_back(images.narrow(2, top, h * f - 2 * top)
                           .narrow(3, left, w * f - 2 * left));
  }
  Json json = sheet_of(at::cat(pictures));
  json["codes"] = whole_numbers_of(codes);
  json["num_codes"] = tokenizer.num_codes();
  if (!set_ || !set_->tokens.defined()) return json;  // nobody counted
  json["usage"] = whole_numbers_of(usage.index_select(0, codes));
  json["num_dead"] = usage.eq(0).sum().item<int64_t>();
  return json;
}

Json Explorer::with_error(const at::Tensor& image, const Json& request) {
  Json json{{"decoded", data_url(to_image(image[0]))}};
  if (request.contains("original") && request["original"].is_string())
    if (const auto first = original(request["original"].get<std::string>());
        first.defined())
      json["error"] = beside(image, first);
  return json;
}

Json Explorer::sheet(const Json& request) const {
  const auto& codes = list_of(request, "codes");
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
  const auto code = code_of(list_of(request, "code"));
  const auto count = whole_number(request, "count", 1, 1000, 8);
  Json found = Json::array();
  for (const auto& near : nearest_codes(*set_, code, count))
    found.push_back({{"row", near.row},
                     {"distance", near.distance},
                     {"name", set_->names[size_t(near.row)]},
                     {"label", set_->labels[near.row].item<int64_t>()}});
  return {{"nearest", found}};
}

Json Explorer::directions(const Json& request) const {
  if (!set_) throw ConfigError("there is no set of codes to look in");
  const auto found = local_directions(*set_, code_of(list_of(request, "code")),
                                      whole_number(request, "count", 1, 64, 4));
  return {{"count", found.size(0)}, {"directions", packed(found)}};
}

Json Explorer::thumbnails(const Json& request) {
  if (!set_) throw ConfigError("there is no set of images to show");
  const auto& rows = list_of(request, "rows");
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
    const auto row = whole_number({{"row", which}}, "row", 0, set_->size() - 1);
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
