#include "evaluation/compare_results.h"
#include "evaluation/evaluate.h"
#include "images/lossy_format.h"
#include "tools/accuracy_score.h"
#include "tools/command.h"
#include "tools/option_range.h"

// The options of `calotype evaluate`.
namespace calotype {
namespace {

struct Options {
  EvaluateJob job;
  std::vector<std::filesystem::path> compared;
  const CLI::Option* part = nullptr;  // whether it was said
  bool as_float = false, truncate = false;
};

void add_pair_options(CLI::App& app, Options& options) {
  auto& job = options.job;
  const auto group = "Of a codec, and of pairs";
  app.add_option("--dtype", job.dtype,
                 "Latents are rounded to it, as in a store")
      ->check(CLI::IsMember({"fp32", "fp16", "bf16"}))
      ->capture_default_str()
      ->group(group);
  auto* as_float =
      app.add_flag("--float", options.as_float,
                   "Compare the values as they are; default: the bytes that a "
                   "viewer sees, rounded and clamped")
          ->group(group);
  app.add_flag("--truncate", options.truncate,
               "Cut off to the byte below instead of rounding, to compare with "
               "those who do so")
      ->excludes(as_float)
      ->group(group);
  app.add_option(
         "--lpips", job.lpips,
         "LPIPS by this file of VGG, Alex or Squeeze: the lpips package's "
         "vgg.pth beside torchvision's vgg16-397923af.pth, or both in "
         "one (docs/evaluation.md); may stand three times")
      ->allow_extra_args(false)
      ->check(CLI::ExistingFile)
      ->group(group);
  app.add_option("--features", job.features,
                 "Also compare the reconstructions with the images as sets, in "
                 "the features of this network (reconstruction FID and the "
                 "like): builtin, a classifier, or a file of FID's Inception")
      ->group(group);
  app.add_option("--beside", job.beside,
                 "Rate and distortion of these formats too, with commas, at "
                 "the codec's bytes and over their qualities")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(lossy_formats()))
      ->group(group);
  app.add_option("--beside-images", job.beside_images,
                 "On so many images, drawn by the seed")
      ->check(in_range(1, 1'000'000))
      ->capture_default_str()
      ->group(group);
  app.add_option("--importance-samples", job.importance_samples,
                 "Variational autoencoder: draws for the tighter bound on the "
                 "log-likelihood; 0: none")
      ->check(in_range(0, 1'000'000))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--binarize", job.binarize,
               "Variational autoencoder: black or white pixels, drawn, for its "
               "bounds")
      ->group(group);
  app.add_option("--jacobian-probes", job.jacobian_probes,
                 "CalotypeAutoencoder: random directions in which the code's "
                 "answer to the image is measured; 0: none")
      ->check(in_range(0, 1'000'000))
      ->capture_default_str()
      ->group(group);
}

void add_set_options(CLI::App& app, EvaluateJob& job) {
  const auto group = "Of sets in the features of a network";
  app.add_option("--nearest", job.nearest,
                 "Find the nearest reference images of so many, spread over "
                 "the set, to see whether they were learnt by heart")
      ->check(in_range(0, 100'000))
      ->capture_default_str()
      ->group(group);
  auto* cas =
      app.add_option("--cas", job.cas,
                     "Classifier: real images on which a new one is tested "
                     "that is trained on --data alone, as the classifier was "
                     "and for as many steps (classification accuracy score)")
          ->group(group);
  app.add_option("--cas-run", job.cas_run,
                 "Run folder of that training, which goes on if it was broken "
                 "off; default: a temporary one, begun anew each time")
      ->needs(cas)
      ->group(group);
}

}  // namespace

CommandRun add_evaluate(CLI::App& app) {
  auto options = new_job<Options>();
  auto& job = options->job;
  app.add_option("model", job.model,
                 "A codec, or pairs (--data holds reconstructions of "
                 "--reference under the same names): how faithful "
                 "reconstructions are. A feature network (builtin, a "
                 "classifier, a file of FID's Inception), or "
                 "features (--data and --reference are stores, or safetensors "
                 "files, of rows): how --data compares with --reference, and "
                 "of a classifier how often images show the class that their "
                 "folder names");
  add_data_options(app, job.data, job.preprocessing, job.num_workers,
                   job.strict);
  app.get_option("--data")->required(false);
  app.add_option("--reference", job.reference, "The set to compare with");
  app.add_option("--report", job.report,
                 "Folder for index.html, result.json and tables as CSV");
  app.add_option("--out", job.out,
                 "File of the result, JSON with the values of each image, and "
                 "where parts meet");
  const auto choose_part =
      add_part_options(app, "measure one of N parts of the images",
                       "Put parts together", job.part, job.finishes);
  options->part = app.get_option("--part");
  add_dry_run(app, job.dry_run);
  app.add_flag("--fresh", job.fresh,
               "Remove the report of another call from the folder of "
               "--report, and its result at --out");
  app.add_option("--cache", job.cache,
                 "Folder where the features of sets are kept, to be looked up "
                 "the next time")
      ->capture_default_str();
  app.add_option("--manifold-samples", job.manifold_samples,
                 "Images of each set, drawn by the seed, for what compares "
                 "each with each: kernel distance, precision, recall, density, "
                 "coverage; the Fréchet distance takes all; 0: every image")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  app.add_option("--seed", job.seed, "Of all draws and of --cas")
      ->capture_default_str();
  app.add_option("--batch-size", job.batch_size,
                 "Images per pass of the network; 0: 128 of 45x45 pixels, "
                 "fewer of larger ones, 16 of sets in FID's Inception")
      ->check(in_range(0, 65536))
      ->capture_default_str();
  app.add_option("--expect-network", job.expect_network,
                 "Refuse a network whose weights have another SHA-256 than "
                 "this: only numbers of one network compare");
  add_pair_options(app, *options);
  add_set_options(app, job);
  const auto measuring = app.get_options();
  auto* compare =
      app.add_option("--compare", options->compared,
                     "Two results (reports, or what --json printed): is their "
                     "difference more than chance? Refuses unlike protocols")
          ->expected(2);
  for (auto* option : measuring) compare->excludes(option);
  return [options, choose_part](const CommandContext& context) {
    if (!options->compared.empty())
      return compare_results(options->compared[0], options->compared[1]);
    // Without a place to meet, what a launcher says is of no use.
    if (!options->job.out.empty() || *options->part) choose_part();
    auto chosen = options->job;
    if (chosen.model.empty() || chosen.data.empty())
      throw ConfigError(
          "evaluate: needs a model and --data, or --compare with two results");
    if (options->as_float) chosen.rounding = "float";
    if (options->truncate) chosen.rounding = "truncate";
    chosen.device = context.device;
    chosen.scorer = &accuracy_scorer();
    return evaluate(chosen);
  };
}

}  // namespace calotype
