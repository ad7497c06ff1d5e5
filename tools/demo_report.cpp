#include "tools/demo_report.h"

#include <torch/types.h>

#include <algorithm>
#include <array>

#include "core/files.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/runtime.h"
#include "datasets/class_folder.h"
#include "datasets/image_source.h"
#include "evaluation/fidelity_report.h"
#include "evaluation/sets_report.h"
#include "images/image_io.h"
#include "outputs/image_files.h"
#include "report/html_report.h"
#include "report/overview.h"
#include "training/loss_curves.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kShownPerClass = 10;
constexpr int64_t kOverviewPairs = 50;

std::string number(const Json& value, int digits) {
  return fmt::format("{:.{}f}", value.get<double>(), digits);
}

std::string percent(const Json& share) {
  return fmt::format("{:.1f}", 100 * share.get<double>());
}

/// The first images of a folder: [N,C,H,W].
at::Tensor first_images(const fs::path& folder, int64_t count) {
  const auto source = open_source(folder.string());
  std::vector<at::Tensor> images;
  for (int64_t i = 0; i < std::min(count, source->size()); ++i)
    images.push_back(to_tensor(source->load(i).image));
  return torch::stack(images);
}

/// The first drawn images of one class, side by side.
std::vector<uint8_t> class_strip(const fs::path& folder) {
  return encode_png(
      image_grid(first_images(folder, kShownPerClass), kShownPerClass));
}

/// The classes of the training set.
std::vector<std::string> class_names(const fs::path& folder) {
  return read_json_file(folder / "latents" / "train" / "store.json")
      .at("class_names")
      .get<std::vector<std::string>>();
}

/// A picture for a front page: reconstructions at the left, drawn images at the
/// right.
std::string overview(const fs::path& folder) {
  std::vector<at::Tensor> drawn;
  for (const auto& name : class_names(folder))
    drawn.push_back(
        first_images(folder / "drawn" / class_folder(name), kShownPerClass));
  return overview_svg(
      {{encode_png(image_grid(
            first_images(folder / "reconstructed", kOverviewPairs), 5)),
        "Test images, each beside its reconstruction"},
       {encode_png(image_grid(torch::cat(drawn), kShownPerClass)),
        "Drawn by class, not chosen"}});
}

/// A row for each class, in their order.
std::vector<ReportImage> drawn_rows(const fs::path& drawn,
                                    const std::vector<std::string>& classes) {
  std::vector<ReportImage> rows;
  for (const auto& name : classes)
    if (const auto folder = drawn / class_folder(name); fs::exists(folder))
      rows.push_back({class_strip(folder), name});
  return rows;
}

/// Drawn images beside real ones that the test set does not hold, in the
/// features of the built-in network.
ReportTable sets_table(const Json& drawn, const Json& real) {
  ReportTable table{.headings = {"Against the test set", "Drawn", "Real"}};
  const auto both = [&](const char* name, const char* key, int digits) {
    table.rows.push_back(
        {name, number(drawn[key], digits), number(real[key], digits)});
  };
  both("Fréchet distance, 0 for alike sets", "frechet_distance", 4);
  both("Precision: drawn ones that look real", "precision", 3);
  both("Recall: real ones that could have been drawn", "recall", 3);
  both("Coverage", "coverage", 3);
  if (drawn.contains("class_agreement") && real.contains("class_agreement"))
    table.rows.push_back({"Show the class asked for, %",
                          percent(drawn["class_agreement"]),
                          percent(real["class_agreement"])});
  table.rows.push_back(
      {"Images", drawn["images"].dump(), real["images"].dump()});
  return table;
}

ReportTable time_table(const Json& seconds) {
  ReportTable table{.headings = {"Stage", "Time"}};
  double total = 0;
  for (const auto& item : seconds.items()) {
    table.rows.push_back(
        {item.key(), duration_text(item.value().get<double>())});
    total += item.value().get<double>();
  }
  table.rows.push_back({"together", duration_text(total)});
  return table;
}

bool is_demo_file(const std::string& file) {
  static constexpr std::array kNames = {"results.json",
                                        "report/index.html",
                                        "report/overview.svg",
                                        "report/drawn.png",
                                        "report/vae_loss.svg",
                                        "report/reconstructed.png",
                                        "report/diffusion_loss.svg"};
  return std::ranges::find(kNames, file) != kNames.end();
}

}  // namespace

OutputFolder demo_folder(const DemoJob& job) {
  return OutputFolder(job.out, {.command = "demo",
                                .settings = {{"preset", job.preset}},
                                .makes = is_demo_file,
                                .has_fresh = false});
}

void write_demo_report(const fs::path& folder, const Json& results) {
  const auto& fidelity = results["fidelity"];
  const auto& drawn = results["drawn"];
  const bool is_fashion =
      fidelity["data"].get<std::string>().starts_with("fashion-mnist:");
  HtmlReport report(
      fmt::format("Calotype: {} through a latent space",
                  is_fashion ? "Fashion-MNIST" : "drawn shapes"),
      "A convolutional VAE packs each image of 28×28 pixels into 4×7×7 "
      "numbers; a diffusion model learns those numbers and draws new ones; the "
      "decoder develops them.");
  report.key_numbers(
      {{number(fidelity["mse"], 4), "", "mean squared error on the test set"},
       {number(fidelity["psnr_db_of_mean_mse"], 1), "dB", "PSNR"},
       {number(fidelity["rate_bpp"], 1), "bits per pixel", "stored, of 8"},
       {number(drawn["frechet_distance"], 3), "",
        fmt::format("Fréchet distance of {} drawn images from the test set",
                    drawn["images"].dump())}});
  report.section("What the codec keeps");
  report.figure({{read_file(grid_file(folder / "reconstructed")), ""}},
                "Test images the VAE has never seen: each original with its "
                "reconstruction at its right.",
                1);
  report.section("What the model draws");
  report.labelled_rows(drawn_rows(folder / "drawn", class_names(folder)),
                       "The first samples of each class, not chosen.", 2);
  report.table(sets_table(drawn, results["real"]));
  report.paragraph(
      "The sets are compared in the features of the built-in network; the real "
      "ones are from the training set. These numbers depend on how many images "
      "there are, so compare only the columns.");
  report.section("Where to put your hand in");
  report.paragraph(fmt::format(
      "A VAE and a plain autoencoder of two numbers an image lie beside the "
      "others. Drag a code and watch it being decoded: {}",
      results["explore"].get<std::string>()));
  add_fidelity_sections(report, folder / "report" / "reconstructed");
  add_sets_sections(report, folder / "report" / "drawn");
  report.section("How training went");
  report.figure_svg(loss_curves_svg(folder / "vae" / "metrics.jsonl"),
                    "The VAE.");
  report.figure_svg(loss_curves_svg(folder / "diffusion" / "metrics.jsonl"),
                    "The diffusion model.");
  report.table(time_table(results["seconds"]));
  report.section("How to make it again");
  report.paragraph(
      fmt::format("calotype demo --preset {} writes this page; {}, {} threads.",
                  results["preset"].get<std::string>(), version_text(),
                  at::get_num_threads()));
  report.details("VAE configuration",
                 read_text_file(folder / "vae" / "run.json"));
  report.details("Diffusion configuration",
                 read_text_file(folder / "diffusion" / "run.json"));
  report.details("All results, with the protocols", json_text(results, 2));
  make_folder(folder / "report");
  write_file_atomic(folder / "report" / "index.html", report.html());
  write_file_atomic(folder / "report" / "overview.svg", overview(folder));
  for (const char* name : {"drawn", "reconstructed"})
    write_file_atomic(folder / "report" / (std::string(name) + ".png"),
                      read_file(grid_file(folder / name)));
  for (const char* name : {"vae", "diffusion"})
    write_file_atomic(folder / "report" / (std::string(name) + "_loss.svg"),
                      loss_curves_svg(folder / name / "metrics.jsonl"));
}

void write_token_demo_report(const fs::path& folder, const Json& results) {
  const auto& fidelity = results["fidelity"];
  const auto& tokens = results["tokens"];
  const auto shape = tokens["info"]["grid_shapes"][0];
  const auto classes =
      tokens["info"]["class_names"].get<std::vector<std::string>>();
  const auto grid =
      fmt::format("{}×{}", shape[1].get<int64_t>(), shape[2].get<int64_t>());
  HtmlReport report(
      "Calotype: emoji as tokens",
      fmt::format("A VQ-VAE makes {} tokens of {} codes of each colour image "
                  "of 64×64 pixels. Two generators learn from it: one draws "
                  "tokens, one the vectors before they are quantized.",
                  grid, tokens["codes"].get<int64_t>()));
  report.key_numbers(
      {{number(fidelity["mse"], 4), "", "mean squared error, unseen emoji"},
       {number(fidelity["psnr_db_of_mean_mse"], 1), "dB", "PSNR"},
       {number(fidelity["rate_bpp"], 2), "bits per pixel", "stored, of 24"},
       {number(tokens["perplexity"], 0), "codes",
        fmt::format("perplexity, {} of {} in use",
                    tokens["codes_in_use"].get<int64_t>(),
                    tokens["codes"].get<int64_t>())}});
  report.section("What the tokenizer keeps");
  report.figure({{read_file(grid_file(folder / "reconstructed")), ""}},
                "Emoji that it has never seen, of base emoji that it has never "
                "seen: each original with its reconstruction at its right.",
                1);
  report.section("What the masked generator draws");
  report.labelled_rows(drawn_rows(folder / "masked_drawn", classes),
                       "The first samples of each class, not chosen: tokens, "
                       "revealed a few at a time.",
                       1);
  report.section("What the diffusion model draws");
  report.labelled_rows(drawn_rows(folder / "diffusion_drawn", classes),
                       "The first samples of each class, not chosen: vectors, "
                       "quantized by the decoder.",
                       1);
  add_fidelity_sections(report, folder / "report" / "reconstructed");
  report.section("How training went");
  report.figure_svg(codebook_curves_svg(folder / "tokenizer" / "metrics.jsonl"),
                    "The codebook.");
  for (const auto& [name, caption] :
       {std::pair("tokenizer", "The tokenizer."),
        std::pair("masked", "The masked generator."),
        std::pair("diffusion", "The diffusion model.")})
    report.figure_svg(loss_curves_svg(folder / name / "metrics.jsonl"),
                      caption);
  report.table(time_table(results["seconds"]));
  report.section("How to make it again");
  report.paragraph(
      fmt::format("calotype demo --preset {} writes this page; {}, {} threads.",
                  results["preset"].get<std::string>(), version_text(),
                  at::get_num_threads()));
  for (const char* name : {"tokenizer", "masked", "diffusion"})
    report.details(fmt::format("Configuration: {}", name),
                   read_text_file(folder / name / "run.json"));
  report.details("All results", json_text(results, 2));
  make_folder(folder / "report");
  write_file_atomic(folder / "report" / "index.html", report.html());
}

}  // namespace calotype
