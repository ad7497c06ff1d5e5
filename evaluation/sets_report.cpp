#include "evaluation/sets_report.h"

#include <algorithm>

#include "core/files.h"
#include "core/runtime.h"
#include "evaluation/report_parts.h"
#include "evaluation/report_pictures.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kShown = 12;     // images in a strip
constexpr int64_t kShownRows = 4;  // strips of images of a set

const std::vector<Measure>& set_measures() {
  static const std::vector<Measure> list{
      {"frechet_distance", "Fréchet distance", "0 for alike sets; biased"},
      {"frechet_distance_extrapolated", "the same, of infinitely many images",
       "linear in 1/n"},
      {"kid", "Kernel distance", "unbiased, may be a little below 0"},
      {"inception_score", "Inception score", "1 to the number of classes"},
      {"precision", "Precision", "images that look like the reference"},
      {"recall", "Recall", "of the reference that could be among the images"},
      {"density", "Density", "near 1 for alike sets"},
      {"coverage", "Coverage", "of the reference with an image near"},
      {"class_agreement", "Show the class asked for", "share of the images"},
      {"cas", "Classification accuracy score",
       "of a classifier that has seen these images alone"},
      {"real_accuracy", "the same of the classifier that judges", ""}};
  return list;
}

/// Places spread evenly over a set, kShown for each row.
std::vector<int64_t> spread_indices(const ImageSource& source, int64_t row) {
  const auto size = source.size();
  const auto count = std::min(size, kShown * kShownRows);
  std::vector<int64_t> indices;
  for (auto i = row * kShown; i < std::min(count, (row + 1) * kShown); ++i)
    indices.push_back(i * size / count);
  return indices;
}

/// Images of a set, a picture for each row.
void write_images(const fs::path& folder, const char* name,
                  const ImageSource* source) {
  if (!source) return;
  for (int64_t row = 0; row < kShownRows; ++row) {
    const auto file = folder / fmt::format("{}_{}.png", name, row);
    const auto png = draw_images(*source, spread_indices(*source, row));
    if (!png.empty()) write_file_atomic(file, png);
  }
}

void add_images(HtmlReport& report, const fs::path& folder, const char* name,
                const std::string& caption) {
  std::vector<ReportImage> rows;
  for (int64_t row = 0; row < kShownRows; ++row)
    if (const auto file = folder / fmt::format("{}_{}.png", name, row);
        fs::exists(file))
      rows.push_back({read_file(file), ""});
  if (!rows.empty()) report.labelled_rows(rows, caption, 2);
}

/// The images that lie nearest to one of the reference, and those: one picture
/// for each rank of nearness.
void write_nearest(const fs::path& folder, const ImageSource& shown,
                   const ImageSource& reference, const at::Tensor& queries,
                   const NearestImages& nearest) {
  const auto order = nearest.distances().select(1, 0).argsort().narrow(
      0, 0, std::min(kShown, queries.size(0)));
  const auto places = [](const at::Tensor& indices) {
    const auto on_cpu = indices.contiguous();
    return std::vector<int64_t>(on_cpu.data_ptr<int64_t>(),
                                on_cpu.data_ptr<int64_t>() + on_cpu.numel());
  };
  const auto write = [&](int64_t rank, const std::vector<uint8_t>& png) {
    write_file_atomic(folder / fmt::format("nearest_{}.png", rank), png);
  };
  write(0, draw_images(shown, places(queries.index_select(0, order))));
  for (int64_t k = 0; k < nearest.indices().size(1); ++k)
    write(k + 1, draw_images(reference,
                             places(nearest.indices().select(1, k).index_select(
                                 0, order))));
}

void add_nearest(HtmlReport& report, const fs::path& folder,
                 const Json& nearest) {
  report.section("Learnt by heart?");
  std::vector<ReportImage> rows;
  for (int64_t rank = 0; rank <= NearestImages::kNeighbours; ++rank)
    if (const auto file = folder / fmt::format("nearest_{}.png", rank);
        fs::exists(file))
      rows.push_back({read_file(file),
                      rank == 0 ? "Image" : fmt::format("Nearest {}", rank)});
  report.paragraph(fmt::format(
      "Of {} images, spread over the set, {} % are more than three times "
      "nearer to their nearest image of the reference than to the next: likely "
      "copies. Distances are in the network's features.",
      nearest["images"].dump(),
      nearest["likely_copies"].is_number()
          ? fmt::format("{:.1f}", 100 * nearest["likely_copies"].get<double>())
          : "–"));
  if (!rows.empty())
    report.labelled_rows(rows,
                         "Those that lie nearest to an image of the reference, "
                         "above that one and the next.",
                         2);
}

ReportTable class_table(const Json& per_class) {
  ReportTable table{.headings = {"Class", "Show it, %"}};
  for (const auto& item : per_class.items())
    table.rows.push_back(
        {item.key(), fmt::format("{:.1f}", 100 * item.value().get<double>())});
  return table;
}

bool compares(const Json& result) {
  return result.contains("frechet_distance");
}

}  // namespace

void add_sets_sections(HtmlReport& report, const fs::path& folder) {
  const auto result = read_json_file(folder / "result.json");
  report.section(compares(result) ? "How alike the sets are"
                                  : "What the classifier sees");
  report.paragraph(
      compares(result)
          ? fmt::format(
                "{} images against {} of the reference; kernel distance, "
                "precision, recall, density and coverage on {} and {}.",
                result["images"].dump(), result["reference_images"].dump(),
                result["manifold_samples"]["images"].dump(),
                result["manifold_samples"]["reference_images"].dump())
          : fmt::format("{} images.", result["images"].dump()));
  add_measures(report, result, set_measures());
  add_images(report, folder, "images", "Images, spread evenly over the set.");
  add_images(report, folder, "reference",
             "Images of the reference, spread evenly.");
  if (result.contains("frechet_by_count"))
    report.figure_svg(frechet_course_svg(result),
                      "The Fréchet distance falls with the number of images, "
                      "even between two halves of one set: compare only "
                      "distances of as many.");
  if (result.contains("nearest"))
    add_nearest(report, folder, result["nearest"]);
  if (result.contains("per_class")) {
    report.section("By class");
    report.table(class_table(result["per_class"]));
  }
}

void write_sets_report(const EvaluateJob& job, const Json& result,
                       const ImageSource* shown, const ImageSource* reference,
                       const at::Tensor& queries,
                       const NearestImages* nearest) {
  auto output = report_folder(job);
  output.begin();
  const auto& folder = output.path();
  write_images(folder, "images", shown);
  write_images(folder, "reference", reference);
  if (nearest && shown && reference)
    write_nearest(folder, *shown, *reference, queries, *nearest);
  write_file_atomic(folder / "measures.csv",
                    measures_csv(result, set_measures()));
  write_file_atomic(folder / "result.json", json_text(result) + "\n");

  const auto data = result["data"].get<std::string>();
  HtmlReport report(
      compares(result) ? fmt::format("{} beside {}", data,
                                     result["reference"].get<std::string>())
                       : fmt::format("{} as a classifier sees it", data),
      compares(result)
          ? "Two sets of images, compared in the features of a network."
          : "How often images show the class that their folder names.");
  std::vector<KeyNumber> numbers;
  for (const auto& [key, label] :
       {std::pair("frechet_distance", "Fréchet distance"),
        std::pair("kid", "kernel distance"),
        std::pair("precision", "precision"), std::pair("recall", "recall"),
        std::pair("class_agreement", "show the class asked for")})
    if (const auto value = result.value(key, Json()); value.is_number())
      numbers.push_back({shown_number(value, 3), "", label});
  report.key_numbers(numbers);
  add_sets_sections(report, folder);
  add_protocol_section(report, result);
  report.footer(version_text());
  write_file_atomic(folder / "index.html", report.html());
  output.finish();
}

}  // namespace calotype
