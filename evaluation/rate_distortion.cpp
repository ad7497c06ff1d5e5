#include "evaluation/rate_distortion.h"

#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/check.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/stop_signal.h"
#include "images/lossy_format.h"
#include "metrics/distortion.h"
#include "metrics/rate.h"
#include "metrics/ssim.h"
#include "report/line_chart.h"
#include "report/result_text.h"

namespace calotype {
namespace {

constexpr char kWhere[] = "rate-distortion";

// Bytes [1,C,H,W] of float type to an image and back.
Image image_of(const at::Tensor& bytes) {
  const auto rows = bytes[0].permute({1, 2, 0}).to(at::kByte).contiguous();
  const auto* first = rows.data_ptr<uint8_t>();
  return {
      rows.size(0), rows.size(1), rows.size(2), {first, first + rows.numel()}};
}

at::Tensor bytes_of(Image image) {
  return torch::from_blob(image.pixels.data(),
                          {1, image.height, image.width, image.channels},
                          at::kByte)
      .permute({0, 3, 1, 2})
      .to(at::kFloat);
}

}  // namespace

RateDistortion::Point& RateDistortion::Point::operator+=(const Point& other) {
  bytes += other.bytes;
  mse += other.mse;
  ssim += other.ssim;
  return *this;
}

RateDistortion::FormatPoints& RateDistortion::FormatPoints::operator+=(
    const FormatPoints& other) {
  for (size_t rung = 0; rung < ladder.size(); ++rung)
    ladder[rung] += other.ladder[rung];
  matched += other.matched;
  matched_quality += other.matched_quality;
  fits += other.fits;
  return *this;
}

RateDistortion::RateDistortion(std::vector<std::string> formats, int64_t size,
                               int64_t num_images, uint64_t seed)
    : formats_(std::move(formats)), seed_(seed), sums_(formats_.size()) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  for (const auto& format : formats_) lossy_settings(format);  // or throws
  check_range(kWhere, "size", double(size), 1, kAny);
  check_range(kWhere, "num_images", double(num_images), 1, kAny);
  drawn_.resize(size_t(size), num_images >= size);
  if (num_images >= size) return;
  const Permutation order(size, seed, 0);
  for (int64_t i = 0; i < num_images; ++i) drawn_[size_t(order(i))] = true;
}

RateDistortion::Point RateDistortion::distortion(const at::Tensor& reference,
                                                 const at::Tensor& got) {
  const auto error = (got - reference).to(at::kDouble) / 255;
  return {.mse = error.square().mean().item<double>(),
          .ssim = ::calotype::ssim(reference, got, 255).item<double>()};
}

RateDistortion::FormatPoints RateDistortion::measure(
    const std::string& format, const at::Tensor& reference,
    double budget_bytes) {
  const auto image = image_of(reference);
  const auto point_of = [&](const std::vector<uint8_t>& file) {
    auto point = distortion(
        reference, bytes_of(decode_lossy(format, file, image.channels)));
    point.bytes = double(file.size());
    return point;
  };
  FormatPoints points;
  int fitting = 0, too_large = 101;
  for (size_t rung = 0; rung < kLadder.size(); ++rung) {
    points.ladder[rung] = point_of(encode_lossy(format, image, kLadder[rung]));
    if (points.ladder[rung].bytes <= budget_bytes) fitting = kLadder[rung];
  }
  points.fits = fitting > 0;
  if (fitting == 0) {
    points.matched = points.ladder.front();
    points.matched_quality = kLadder.front();
    return points;
  }
  for (const int quality : kLadder)
    if (quality > fitting) too_large = std::min(too_large, quality);
  std::vector<uint8_t> matched = encode_lossy(format, image, fitting);
  while (too_large - fitting > 1) {
    const int quality = (fitting + too_large) / 2;
    auto file = encode_lossy(format, image, quality);
    if (double(file.size()) <= budget_bytes) {
      fitting = quality;
      matched = std::move(file);
    } else {
      too_large = quality;
    }
  }
  points.matched = point_of(matched);
  points.matched_quality = fitting;
  return points;
}

void RateDistortion::add(const at::Tensor& images,
                         const at::Tensor& reconstruction,
                         const at::Tensor& stored_bytes,
                         const at::Tensor& indices) {
  check_shape(kWhere, "images", images, {-1, -1, -1, -1});
  const auto N = images.size(0), H = images.size(2), W = images.size(3);
  check_shape(kWhere, "reconstruction", reconstruction,
              {N, images.size(1), H, W});
  check_shape(kWhere, "stored_bytes", stored_bytes, {N});
  check_shape(kWhere, "indices", indices, {N});

  const torch::NoGradGuard no_grad;
  const auto places = indices.to(at::kCPU, at::kLong).contiguous();
  const auto budgets = stored_bytes.to(at::kCPU, at::kDouble).contiguous();
  const auto place = places.accessor<int64_t, 1>();
  const auto budget = budgets.accessor<double, 1>();
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < N; ++i) {
    if (place[i] < 0 || place[i] >= std::ssize(drawn_))
      throw ShapeError(fmt::format("{}: indices must be in [0, {}), got {}",
                                   kWhere, drawn_.size(), place[i]));
    check_range(kWhere, "stored_bytes", budget[i], 0,
                std::numeric_limits<double>::max());
    if (drawn_[size_t(place[i])]) rows.push_back(i);
  }
  if (rows.empty()) return;

  const auto chosen = torch::tensor(rows, at::kLong);
  const auto viewed = [&](const at::Tensor& batch) {
    return viewed_bytes(batch.to(at::kCPU).index_select(0, chosen));
  };
  const auto reference = viewed(images), got = viewed(reconstruction);
  const auto num_formats = std::ssize(formats_);
  // An extra column for the codec itself.
  std::vector<Point> codec(rows.size());
  std::vector<FormatPoints> points(rows.size() * formats_.size());
  parallel_for(0, std::ssize(rows) * (num_formats + 1), 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t task = begin; task < end; ++task) {
                   throw_if_stopped();
                   const auto row = task / (num_formats + 1);
                   const auto column = task % (num_formats + 1);
                   const auto image = reference.narrow(0, row, 1);
                   const double bytes = budget[rows[size_t(row)]];
                   if (column < num_formats) {
                     points[size_t(row * num_formats + column)] =
                         measure(formats_[size_t(column)], image, bytes);
                   } else {
                     codec[size_t(row)] =
                         distortion(image, got.narrow(0, row, 1));
                     codec[size_t(row)].bytes = bytes;
                   }
                 }
               });

  // In order, so that no rounding depends on who was first.
  for (size_t row = 0; row < rows.size(); ++row) {
    codec_ += codec[row];
    for (size_t format = 0; format < formats_.size(); ++format)
      sums_[format] += points[row * formats_.size() + format];
  }
  num_images_ += std::ssize(rows);
  num_pixels_ += std::ssize(rows) * H * W;
  num_values_ += std::ssize(rows) * images.size(1) * H * W;
}

Json RateDistortion::to_json(const Point& sum) const {
  const double mse = sum.mse / double(num_images_);
  return {
      {"rate_bpp", measure_rate(sum.bytes, num_pixels_, num_values_).rate_bpp},
      {"mse", mse},
      {"psnr_db_of_mean_mse", number_or_null(psnr_db(mse))},
      {"ssim", sum.ssim / double(num_images_)}};
}

Json RateDistortion::summary() const {
  if (num_images_ == 0)
    throw ConfigError(
        "rate-distortion: there must be a drawn image to measure, got none");
  Json formats = Json::object();
  for (size_t i = 0; i < formats_.size(); ++i) {
    const auto& sums = sums_[i];
    Json ladder = Json::array();
    for (size_t rung = 0; rung < kLadder.size(); ++rung) {
      Json entry{{"quality", kLadder[rung]}};
      entry.update(to_json(sums.ladder[rung]));
      ladder.push_back(std::move(entry));
    }
    auto matched = to_json(sums.matched);
    matched["quality_mean"] =
        double(sums.matched_quality) / double(num_images_);
    matched["images_that_fit"] = sums.fits;
    formats[formats_[i]] = {{"settings", lossy_settings(formats_[i])},
                            {"ladder", std::move(ladder)},
                            {"at_matched_bytes", std::move(matched)}};
  }
  return {{"images", num_images_},
          {"drawn_by_seed", seed_},
          {"codec", to_json(codec_)},
          {"formats", std::move(formats)}};
}

std::string rate_distortion_svg(const Json& summary) {
  LineChart chart;
  chart.title = fmt::format("Rate and distortion, {} images",
                            summary.at("images").get<int64_t>());
  chart.x_label = "bits per pixel, of whole files";
  chart.y_label = "PSNR of the mean squared error, dB";
  chart.log_x = true;
  const auto append = [](LineSeries& series, const Json& point) {
    const auto& psnr_db = point.at("psnr_db_of_mean_mse");
    if (psnr_db.is_null()) return;
    series.x.push_back(point.at("rate_bpp").get<double>());
    series.y.push_back(psnr_db.get<double>());
  };
  for (const auto& [name, format] : summary.at("formats").items()) {
    LineSeries line;
    line.name = name;
    for (const auto& point : format.at("ladder")) append(line, point);
    chart.series.push_back(std::move(line));
  }
  LineSeries codec;
  codec.name = "this codec";
  append(codec, summary.at("codec"));
  if (!codec.x.empty()) chart.series.push_back(std::move(codec));
  return line_chart_svg(chart);
}

}  // namespace calotype
