#include "tools/walk.h"

#include <torch/utils.h>

#include <cmath>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "evaluation/image_pass.h"
#include "images/png_recipe.h"
#include "models/codec.h"
#include "models/round_trip.h"
#include "outputs/image_files.h"
#include "report/skipped.h"

namespace calotype {
namespace {

int64_t zoom_of(const at::Tensor& images) {
  return images.size(3) < 64 ? 2 : 1;
}

/// The first image of a source, [1,C,H,W].
at::Tensor first_image(const std::string& spec, const Preprocessing& how) {
  Loader loader(open_source(spec, how), how,
                {.batch_size = 1,
                 .shuffle = false,
                 .strict = true,
                 .on_note = tell_notes_once()});
  const auto batch = loader.next();
  if (!batch) throw DataError(spec + ": holds no image");
  return batch->images;
}

}  // namespace

at::Tensor between(const at::Tensor& a, const at::Tensor& b, double t,
                   bool spherical) {
  const auto line = a * (1 - t) + b * t;
  if (!spherical) return line;
  const double lengths = a.norm().item<double>() * b.norm().item<double>();
  if (lengths == 0) return line;
  const double cosine = (a * b).sum().item<double>() / lengths;
  const double angle = std::acos(std::clamp(cosine, -1.0, 1.0));
  constexpr double kParallel = 1e-4;  // radians; opposite codes have no one arc
  if (angle < kParallel || angle > M_PI - kParallel) return line;
  return a * (std::sin((1 - t) * angle) / std::sin(angle)) +
         b * (std::sin(t * angle) / std::sin(angle));
}

Json interpolate(const InterpolateJob& given) {
  auto job = given;
  check_one_of("interpolate", "--path", job.path, {"linear", "spherical"});
  check_range("interpolate", "--count", double(job.count), 2, 1000);
  expect_place_for_picture(
      job.out, {path_of_source(job.from), path_of_source(job.to), job.codec});
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const torch::InferenceMode inference;
  const auto a = first_image(job.from, job.preprocessing);
  const auto b = first_image(job.to, job.preprocessing);
  if (a.sizes() != b.sizes())
    throw ConfigError(fmt::format(
        "interpolate: {} is {}x{} and {} is {}x{}; make them equal with --size",
        job.from, a.size(2), a.size(3), job.to, b.size(2), b.size(3)));
  const auto code_a = encode_images(*codec.codec, a, job.device).mean;
  const auto code_b = encode_images(*codec.codec, b, job.device).mean;
  std::vector<at::Tensor> codes;
  for (int64_t i = 0; i < job.count; ++i)
    codes.push_back(between(code_a, code_b, double(i) / double(job.count - 1),
                            job.path == "spherical"));
  const auto decoded =
      decode_images(*codec.codec, torch::cat(codes), a.size(2), a.size(3));
  const auto strip = torch::cat({a, decoded, b});
  write_file_atomic(
      job.out, encode_png(image_grid(strip, strip.size(0), zoom_of(strip)),
                          by_product_text("strip", {{"codec", codec.sha256}})));
  return {{"strip", job.out.string()},
          {"path", job.path},
          {"pictures", job.count},
          {"code_distance", (code_a - code_b).norm().item<double>()}};
}

Json traverse(const TraverseJob& given) {
  auto job = given;
  check_range("traverse", "--count", double(job.count), 2, 1000);
  check_range("traverse", "--directions", double(job.num_directions), 1, 1000);
  check_range("traverse", "--range", job.range, 0, 1000);
  check_range("traverse", "--limit", double(job.limit), 2, 1e9);
  expect_place_for_picture(job.out, {path_of_source(job.data), job.codec});
  const auto codec = load_codec(job.codec, job.device);
  fit_preprocessing(codec, job.preprocessing);
  const std::shared_ptr<const ImageSource> source =
      open_source(job.data, job.preprocessing);
  const torch::InferenceMode inference;
  at::Tensor first, start, sum, sum_of_squares;
  double count = 0;
  const auto pass = for_each_batch(
      job, "traverse", source, job.limit, [&](const ImageBatch& batch) {
        const auto code =
            encode_images(*codec.codec, batch.images, job.device).mean;
        if (!first.defined()) {
          first = batch.images.narrow(0, 0, 1);
          start = code.narrow(0, 0, 1).clone();
          sum = torch::zeros({code.size(1)}, torch::kDouble);
          sum_of_squares = sum.clone();
        }
        const auto values = code.to(torch::kCPU, torch::kDouble);
        sum += values.sum({0, 2, 3});
        sum_of_squares += values.square().sum({0, 2, 3});
        count += double(code.numel()) / double(code.size(1));
      });
  if (!first.defined()) throw DataError(job.data + ": holds no image");
  const auto std =
      (sum_of_squares / count - (sum / count).square()).clamp_min(0).sqrt();
  const auto order = std.argsort(0, /*descending=*/true);
  const auto rows = std::min(job.num_directions, std.size(0));
  std::vector<at::Tensor> codes;
  Json directions = Json::array();
  for (int64_t r = 0; r < rows; ++r) {
    const auto j = order[r].item<int64_t>();
    const auto unit = std[j].item<double>();
    directions.push_back({{"number", j}, {"std", unit}});
    for (int64_t i = 0; i < job.count; ++i) {
      auto moved = start.clone();
      moved.select(1, j) +=
          job.range * unit * (2 * double(i) / double(job.count - 1) - 1);
      codes.push_back(moved);
    }
  }
  const auto pictures = decode_images(*codec.codec, torch::cat(codes),
                                      first.size(2), first.size(3));
  write_file_atomic(
      job.out, encode_png(image_grid(pictures, job.count, zoom_of(pictures)),
                          by_product_text("walks", {{"codec", codec.sha256}})));
  Json result{{"picture", job.out.string()}, {"directions", directions}};
  report_skipped(result, pass.skipped, pass.notes);
  return result;
}

}  // namespace calotype
