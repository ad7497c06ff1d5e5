#include "evaluation/fidelity_report.h"

#include <algorithm>

#include "core/files.h"
#include "core/runtime.h"
#include "evaluation/rate_distortion.h"
#include "evaluation/report_parts.h"
#include "evaluation/report_pictures.h"
#include "report/line_chart.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kExamples = 6;  // of each kind
constexpr int64_t kCurvePoints = 200;

/// Images of one rank among all.
struct Rank {
  const char* name;   // of the pictures' files
  const char* title;  // "Worst"
};
constexpr Rank kRanks[] = {
    {"worst", "Worst"}, {"median", "Median"}, {"best", "Best"}};

/// The first, the middle and the last of those that are ranked.
std::vector<ImageDistortion> of_rank(const std::vector<ImageDistortion>& ranked,
                                     const std::string& name) {
  const auto all = std::ssize(ranked);
  // From three images on no one stands twice.
  const auto count = std::clamp<int64_t>(all / 3, 1, kExamples);
  auto from = ranked.begin();
  if (name == "median") from += (all - count) / 2;
  if (name == "best") from += all - count;
  return {from, from + count};
}

std::string psnr_text(const ImageDistortion& image) {
  return image.mse > 0 ? fmt::format("{:.2f} dB", image.psnr_db())
                       : std::string("no error");
}

/// Which images a rank shows: index, name, PSNR.
Json caption_json(const std::vector<ImageDistortion>& images,
                  const ImageSource& source, double largest_error) {
  Json names = Json::array();
  for (const auto& image : images)
    names.push_back(
        fmt::format("{} ({})", source.name(image.sample), psnr_text(image)));
  return {{"images", names}, {"largest_error", largest_error}};
}

/// The share of images with at most so many decibels.
std::string psnr_curve_svg(const std::vector<ImageDistortion>& ranked) {
  std::vector<double> decibels;  // ranked: the worst first
  for (const auto& image : ranked)
    if (image.mse > 0) decibels.push_back(image.psnr_db());
  LineSeries curve{.name = "images"};
  const auto count = std::ssize(decibels);
  for (int64_t i = 0; i < std::min(count, kCurvePoints); ++i) {
    const auto at =
        count <= kCurvePoints ? i : i * (count - 1) / (kCurvePoints - 1);
    curve.x.push_back(decibels[size_t(at)]);
    curve.y.push_back(100 * double(at + 1) / double(ranked.size()));
  }
  LineChart chart;
  chart.x_label = "PSNR of an image, dB";
  chart.y_label = "% of images with at most that";
  chart.series = {curve};
  return line_chart_svg(chart);
}

const std::vector<Measure>& fidelity_measures() {
  static const std::vector<Measure> list{
      {"mse", "Mean squared error", "pixels in [0,1]"},
      {"mae", "Mean absolute error", "pixels in [0,1]"},
      {"psnr_db_of_mean_mse", "PSNR of the mean error, dB",
       "10 log10(1 / mean squared error)"},
      {"psnr_db_mean_over_images", "PSNR, mean over images, dB",
       "of those that have an error"},
      {"ssim", "SSIM", "Gaussian window of 11, σ 1.5"},
      {"ms_ssim", "MS-SSIM", "five scales"},
      {"lpips_vgg", "LPIPS, VGG", "0 for alike images"},
      {"lpips_alex", "LPIPS, Alex", "0 for alike images"},
      {"lpips_squeeze", "LPIPS, Squeeze", "0 for alike images"},
      {"frechet_distance", "Fréchet distance",
       "of the reconstructions from the images, as sets"},
      {"kid", "Kernel distance", "unbiased, may be a little below 0"},
      {"inception_score", "Inception score", "of the reconstructions"},
      {"precision", "Precision", "reconstructions that look like images"},
      {"recall", "Recall", "images that look like reconstructions"},
      {"density", "Density", ""},
      {"coverage", "Coverage", ""},
      {"rate_bpp", "Bits per pixel", "stored"},
      {"entropy_coded_bpp", "Bits per pixel, entropy-coded",
       "by the histogram of these images' tokens"},
      {"source_file_bpp", "Bits per pixel of the source files", ""},
      {"compression_ratio", "Compression ratio", "raw pixels to stored bytes"},
      {"compression_ratio_of_files", "Compression ratio of files",
       "source files to stored bytes"},
      {"codes_in_use", "Codes in use", ""},
      {"perplexity", "Perplexity of the codes", ""}};
  return list;
}

ReportTable group_table(const std::string& heading, const Json& groups) {
  ReportTable table{.headings = {heading, "Images", "Mean squared error",
                                 "PSNR of it, dB", "SSIM"}};
  for (const auto& item : groups.items())
    table.rows.push_back({item.key(), item.value()["images"].dump(),
                          shown_number(item.value()["mse"]),
                          shown_number(item.value()["psnr_db_of_mean_mse"]),
                          shown_number(item.value()["ssim"])});
  return table;
}

ReportTable matched_table(const Json& rates) {
  ReportTable table{.headings = {"At the codec's bytes", "Bits per pixel",
                                 "PSNR, dB", "SSIM", "Images that fit"}};
  const auto row = [&](const std::string& name, const Json& point,
                       const std::string& fitting) {
    table.rows.push_back({name, shown_number(point["rate_bpp"]),
                          shown_number(point["psnr_db_of_mean_mse"]),
                          shown_number(point["ssim"]), fitting});
  };
  row("this codec", rates["codec"], "");
  for (const auto& item : rates["formats"].items()) {
    const auto& point = item.value()["at_matched_bytes"];
    row(item.key(), point,
        fmt::format("{} of {}", point["images_that_fit"].dump(),
                    rates["images"].dump()));
  }
  return table;
}

void add_examples(HtmlReport& report, const fs::path& folder) {
  const auto captions = read_json_file(folder / "examples.json");
  for (const auto& rank : kRanks) {
    const auto& caption = captions[rank.name];
    const auto strip = [&](const char* part) {
      return read_file(folder / fmt::format("{}_{}.png", rank.name, part));
    };
    report.labelled_rows(
        {{strip("originals"), "Image"},
         {strip("reconstructions"), "Reconstruction"},
         {strip("errors"), "Error"}},
        fmt::format(
            "{}: {}. White in the error map is {:.0f} of 255.", rank.title,
            fmt::join(caption["images"].get<std::vector<std::string>>(), ", "),
            255 * caption["largest_error"].get<double>()),
        2);
  }
}

std::string title_of(const Json& result) {
  const auto& subject = result["subject"];
  return fmt::format("Fidelity of {}",
                     subject.contains("codec")
                         ? subject["codec"].get<std::string>()
                         : subject["reconstructions"].get<std::string>());
}

}  // namespace

void add_fidelity_sections(HtmlReport& report, const fs::path& folder) {
  const auto result = read_json_file(folder / "result.json");
  report.section("How faithful");
  report.paragraph(fmt::format(
      "Over {} images. Intervals say how far other images, as many, would "
      "move a number in 95 of 100 cases.",
      result["images"].dump()));
  add_measures(report, result, fidelity_measures());
  if (const auto curve = folder / "psnr.svg"; fs::exists(curve))
    report.figure_svg(read_text_file(curve),
                      "How the error is spread over the images.");
  report.section("What it looks like");
  report.paragraph("Ranked by the mean squared error of each image.");
  add_examples(report, folder);
  if (const auto rates = result.value("rate_distortion", Json());
      rates.is_object()) {
    report.section("Beside ordinary formats");
    report.figure_svg(
        read_text_file(folder / "rate_distortion.svg"),
        fmt::format("On {} of the images. Files are whole, with "
                    "their headers.{}",
                    rates["images"].dump(),
                    rates["codec"]["psnr_db_of_mean_mse"].is_null()
                        ? " This codec has no error, so it has "
                          "no point here."
                        : ""));
    report.table(matched_table(rates));
  }
  const auto& breakdown = result["breakdown"];
  for (const auto& [key, heading] :
       {std::pair("per_class", "Class"), std::pair("per_size", "Size")})
    if (!breakdown[key].empty()) {
      report.section(fmt::format("By {}", key + 4));
      report.table(group_table(heading, breakdown[key]));
    }
}

void write_fidelity_report(
    const EvaluateJob& job, OutputFolder& output, const Json& result,
    const Fidelity& fidelity,
    const std::vector<std::shared_ptr<const Lpips>>& networks,
    std::shared_ptr<const ImageSource> source, Reconstructor& reconstructor) {
  output.begin();
  const auto& folder = output.path();
  const auto ranked = fidelity.distortion().ranked();
  Json captions = Json::object();
  for (const auto& rank : kRanks) {
    const auto images = of_rank(ranked, rank.name);
    std::vector<int64_t> indices;
    for (const auto& image : images) indices.push_back(image.sample);
    const auto examples = draw_examples(job, source, reconstructor, indices);
    const auto write = [&](const char* part, const std::vector<uint8_t>& png) {
      write_file_atomic(folder / fmt::format("{}_{}.png", rank.name, part),
                        png);
    };
    write("originals", examples.originals);
    write("reconstructions", examples.reconstructions);
    write("errors", examples.errors);
    captions[rank.name] = caption_json(images, *source, examples.largest_error);
  }
  write_file_atomic(folder / "examples.json", json_text(captions, 2) + "\n");
  if (ranked.front().mse > 0)
    write_file_atomic(folder / "psnr.svg", psnr_curve_svg(ranked));
  if (result.contains("rate_distortion"))
    write_file_atomic(folder / "rate_distortion.svg",
                      rate_distortion_svg(result["rate_distortion"]));
  write_file_atomic(folder / "images.csv", fidelity.csv(*source, networks));
  write_file_atomic(folder / "measures.csv",
                    measures_csv(result, fidelity_measures()));
  write_file_atomic(folder / "result.json", json_text(result) + "\n");

  HtmlReport report(
      title_of(result),
      fmt::format("Reconstructions of {} images of {}, compared with the "
                  "images.",
                  result["images"].dump(), result["data"].get<std::string>()));
  const auto& psnr = result["psnr_db_of_mean_mse"];
  std::vector<KeyNumber> numbers{
      psnr.is_null()
          ? KeyNumber{"none", "", "error: every image is as it was"}
          : KeyNumber{shown_number(psnr), "dB", "PSNR of the mean error"},
      {shown_number(result["ssim"]), "", "SSIM"}};
  if (result.contains("frechet_distance"))
    numbers.push_back({shown_number(result["frechet_distance"], 3), "",
                       "Fréchet distance of the sets"});
  if (result.contains("rate_bpp"))
    numbers.push_back(
        {shown_number(result["rate_bpp"], 3), "bits per pixel", "stored"});
  report.key_numbers(numbers);
  add_fidelity_sections(report, folder);
  add_protocol_section(report, result);
  report.footer(version_text());
  write_file_atomic(folder / "index.html", report.html());
  output.finish();
}

}  // namespace calotype
