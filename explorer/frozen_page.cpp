#include "explorer/frozen_page.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/error.h"
#include "explorer/answers.h"
#include "explorer/page.h"
#include "explorer/portable_decoder.h"
#include "images/image_io.h"
#include "models/round_trip.h"

namespace calotype {
namespace {

constexpr int64_t kLatticeEdge = 24;  // pictures along each side of the plane
// Of each number, so that a page of long codes stays small. What is lost of a
// code is a thousandth of a grey level; a log-variance is there to be drawn.
constexpr int kCodeBytes = 3, kLogvarBytes = 2;
constexpr int64_t kLatticePixels = int64_t{2} << 20;  // of all of them

/// The middle 99 % of a number, with room around it.
std::pair<double, double> range_of(const at::Tensor& numbers) {
  const auto sorted = std::get<0>(numbers.sort());
  const auto at = [&](double share) {
    return sorted[int64_t(share * double(sorted.size(0) - 1))].item<double>();
  };
  const auto low = at(0.005), high = at(0.995);
  const auto room = 0.1 * std::max(high - low, 1e-6);
  return {low - room, high + room};
}

/// Decoded places of the usual plane.
Json lattice_of(const LoadedCodec& codec, const CodeSet& set,
                c10::Device device) {
  const auto plane = usual_plane(set);
  const auto [x0, x1] = range_of(plane.points.select(1, 0));
  const auto [y0, y1] = range_of(plane.points.select(1, 1));
  const auto pixels = set.image_size[0] * set.image_size[1];
  const auto edge = std::clamp<int64_t>(
      int64_t(std::sqrt(double(kLatticePixels) / double(pixels))), 2,
      kLatticeEdge);
  const c10::InferenceMode inference;
  std::vector<at::Tensor> pictures;
  for (int64_t row = 0; row < edge; ++row) {
    std::vector<at::Tensor> codes;
    for (int64_t column = 0; column < edge; ++column) {
      const double x = x0 + (x1 - x0) * double(column) / double(edge - 1);
      const double y = y0 + (y1 - y0) * double(row) / double(edge - 1);
      codes.push_back(plane.origin + x * plane.directions[0] +
                      y * plane.directions[1]);
    }
    const auto& g = set.grid_shape;
    pictures.push_back(decode_images(
        *codec.codec,
        at::stack(codes).to(device, at::kFloat).view({edge, g[0], g[1], g[2]}),
        set.image_size[0], set.image_size[1]));
  }
  return {{"edge", edge},
          {"x", {x0, x1}},
          {"y", {y0, y1}},
          {"sheet", sheet_of(at::cat(pictures))}};
}

/// What each code of the set decodes to.
at::Tensor decoded_set(const LoadedCodec& codec, const CodeSet& set,
                       c10::Device device) {
  const c10::InferenceMode inference;
  std::vector<at::Tensor> all;
  const auto& g = set.grid_shape;
  for (const auto& codes : set.mean.split(64))
    all.push_back(decode_images(
        *codec.codec, codes.view({codes.size(0), g[0], g[1], g[2]}).to(device),
        set.image_size[0], set.image_size[1]));
  return at::cat(all);
}

/// Every picture of the set, as the codec is given it; undefined if one of them
/// is not at hand.
at::Tensor originals_of(const CodeSet& set) {
  std::vector<at::Tensor> all;
  for (int64_t row = 0; row < set.size(); ++row) {
    all.push_back(image_of(set, row));
    if (!all.back().defined()) return {};
  }
  return at::cat(all);
}

}  // namespace

Json frozen_model(Explorer& explorer, const LoadedCodec& codec,
                  const CodeSet& set, c10::Device device) {
  const auto originals = originals_of(set);
  Json json{{"model", explorer.model()},
            {"plane", explorer.plane(Json::object())},
            {"codes", packed_short(set.mean, kCodeBytes)},
            {"code_bytes", kCodeBytes},
            {"logvar_bytes", kLogvarBytes},
            {"pictures",
             sheet_of(originals.defined() ? originals
                                          : decoded_set(codec, set, device))}};
  json["model"]["set"]["originals"] = originals.defined();
  // A server's answers would be asked for these.
  for (const char* key : {"beside", "diffusion"}) json["model"].erase(key);
  if (set.logvar.defined())
    json["logvars"] = packed_short(set.logvar, kLogvarBytes);
  if (const auto decoder = portable_decoder(codec, set.grid_shape)) {
    json["decoder"] = *decoder;
    if (codec.tokenizer) json["codebook"] = explorer.codebook(Json::object());
  } else {
    json["model"]["num_codes"] = 0;  // nothing paints them
    json["lattice"] = lattice_of(codec, set, device);
    json["decoded"] = sheet_of(decoded_set(codec, set, device));
  }
  return json;
}

std::string frozen_page(const Json& model, const Json& beside) {
  Json both{{"model", model}};
  if (!beside.is_null()) both["beside"] = beside;
  auto text = json_text(both);
  // What would end the script element, in any name of a picture.
  for (size_t at = 0; (at = text.find("</", at)) != text.npos; at += 3)
    text.replace(at, 2, "<\\/");
  for (size_t at = 0; (at = text.find("<!--", at)) != text.npos; at += 9)
    text.replace(at, 4, "\\u003c!--");
  auto page = explorer_page();
  const std::string mark = "<!-- frozen -->";
  const auto at = page.find(mark);
  if (at == page.npos) throw ShapeError("page: has no " + mark);
  return page.replace(
      at, mark.size(),
      "<script type=\"application/json\" id=\"frozen\">" + text + "</script>");
}

}  // namespace calotype
