#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "datasets/image_source.h"
#include "evaluation/evaluate.h"
#include "images/image_io.h"
#include "images/lossy_codecs.h"
#include "images/lossy_format.h"
#include "report/line_chart.h"

// rate_distortion OUT.svg DATA CODEC...
//
// Error against bytes of codecs, JPEG and WebP on the same images: what a file
// costs, and what it costs without the headers that all files of a set share.
// `calotype evaluate --beside` compares whole files at matched bytes.
namespace calotype {
namespace {

struct Point {
  double bytes = 0;    // mean over the images
  double payload = 0;  // without headers
  double mse = 0;      // of values in [0,1], mean over the images
};

/// Where the entropy-coded data of a JPEG file begins: behind its last header.
size_t jpeg_payload(const std::vector<uint8_t>& file) {
  for (size_t at = 2; at + 4 <= file.size();) {
    const auto length = size_t(file[at + 2]) << 8 | file[at + 3];
    const bool is_scan = file[at + 1] == 0xda;
    at += 2 + length;
    if (is_scan) return at;
  }
  throw DataError("JPEG: has no scan");
}

// RIFF header, chunk header, and the frame header of lossy WebP (RFC 9649).
constexpr size_t kWebpHeader = 12 + 8 + 10;

double mse_of(const Image& a, const Image& b) {
  const auto values = [&](const Image& image) {
    auto tensor = to_tensor(image) / 2 + 0.5;
    return a.channels == 1 ? tensor.mean(0, /*keepdim=*/true) : tensor;
  };
  return (values(a) - values(b)).square().mean().item<double>();
}

Point measure(const ImageSource& source, bool webp, int quality) {
  Point sum;
  const auto count = double(source.size());
  for (int64_t i = 0; i < source.size(); ++i) {
    const auto image = source.load(i).image;
    // JPEG with the tables of the standard, which all files share: tables
    // fitted to an image, as encode_lossy() writes them, would be no header.
    const auto file = webp ? encode_lossy("webp", image, quality)
                           : encode_plain_jpeg(image, quality);
    const auto header = webp ? kWebpHeader : jpeg_payload(file);
    sum.bytes += double(file.size()) / count;
    sum.payload += double(file.size() - header) / count;
    sum.mse += mse_of(image, decode_image(file, "in memory")) / count;
  }
  return sum;
}

void run(const std::filesystem::path& out, const std::string& data,
         const std::vector<std::string>& codecs) {
  set_quiet(true);
  const auto source = open_source(data);
  const auto image = source->load(0).image;
  const double pixels = double(image.width) * double(image.height);
  LineChart chart{.title = data,
                  .x_label = "bytes per image",
                  .y_label = "mean squared error",
                  .log_x = true,
                  .log_y = true};
  fmt::print("{:24} {:>8} {:>10} {:>10}\n", "", "bytes", "no header", "mse");
  for (const bool webp : {false, true}) {
    LineSeries with{.name = webp ? "WebP" : "JPEG"};
    LineSeries without{.name = with.name + " without headers"};
    for (const int quality : {1, 5, 10, 20, 30, 50, 70, 90}) {
      const auto point = measure(*source, webp, quality);
      fmt::print("{:24} {:8.1f} {:10.1f} {:10.5f}\n",
                 fmt::format("{} quality {}", with.name, quality), point.bytes,
                 point.payload, point.mse);
      with.x.push_back(point.bytes);
      without.x.push_back(point.payload);
      with.y.push_back(point.mse);
      without.y.push_back(point.mse);
    }
    chart.series.push_back(with);
    chart.series.push_back(without);
  }
  for (const auto& codec : codecs) {
    const auto result = evaluate({.model = codec, .data = data});
    const double bytes = result["rate_bpp"].get<double>() * pixels / 8;
    const double coded =
        result.value("entropy_coded_bpp", result["rate_bpp"].get<double>()) *
        pixels / 8;
    const double mse = result["mse"];
    fmt::print("{:24} {:8.1f} {:10.1f} {:10.5f}   ({:.1f} entropy-coded)\n",
               std::filesystem::path(codec).filename().string(), bytes, bytes,
               mse, coded);
    chart.series.push_back(
        {.name = std::filesystem::path(codec).filename().string(),
         .x = {bytes},
         .y = {mse}});
  }
  write_file_atomic(out, line_chart_svg(chart));
}

}  // namespace
}  // namespace calotype

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: rate_distortion OUT.svg DATA CODEC...\n");
    return 2;
  }
  calotype::set_up_runtime({.device = "cpu"});
  try {
    calotype::run(argv[1], argv[2], {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "rate_distortion: {}\n", error.what());
    return 1;
  }
}
