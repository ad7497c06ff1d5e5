#include "tools/anomaly.h"
#include "tools/command.h"
#include "tools/denoise.h"
#include "tools/embed.h"
#include "tools/explore.h"
#include "tools/option_range.h"
#include "tools/project.h"
#include "tools/walk.h"

// The options of the commands that show what codes are for.
namespace calotype {
namespace {

constexpr const char* kCodecHelp = "Model folder or run folder of a codec";

void add_limit(CLI::App& app, int64_t& limit) {
  app.add_option("--limit", limit, "Only the first so many images; 0: all")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
}

/// The run of a job that knows its device.
template <class Job>
CommandRun run_of(std::shared_ptr<Job> job, Json (*work)(const Job&)) {
  return [job, work](const CommandContext& context) {
    job->device = context.device;
    return work(*job);
  };
}

}  // namespace

CommandRun add_embed(CLI::App& app) {
  auto job = new_job<EmbedJob>();
  app.add_option("codec", job->codec, kCodecHelp)->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out,
                 "NAME.csv, a table with a row per image; any other name is "
                 "the folder of a latent store in fp32")
      ->required();
  add_dry_run(app, job->dry_run);
  add_limit(app, job->limit);
  add_batch_size(app, job->batch_size);
  return run_of(job, embed);
}

CommandRun add_anomaly(CLI::App& app) {
  auto job = new_job<AnomalyJob>();
  app.add_option("codec", job->codec,
                 "Codec that was trained on what is normal")
      ->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out,
                 "Folder for scores.csv and highest.png (original, "
                 "reconstruction, heat map)")
      ->required();
  add_fresh(app, job->fresh);
  app.add_option("--anomalous", job->anomalous,
                 "Names of the classes that are anomalous, with commas: gives "
                 "the ROC-AUC");
  app.add_option("--score", job->score,
                 "Of an image: mean squared or absolute error on [0,1], or 1 - "
                 "SSIM")
      ->check(CLI::IsMember({"mse", "mae", "ssim"}))
      ->capture_default_str();
  app.add_option("--show", job->num_shown, "Images in highest.png")
      ->check(in_range(1, 10'000))
      ->capture_default_str();
  add_batch_size(app, job->batch_size);
  return run_of(job, anomaly);
}

CommandRun add_denoise(CLI::App& app) {
  auto job = new_job<DenoiseJob>();
  app.add_option("codec", job->codec,
                 "Codec that was trained with loss.corruption")
      ->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out, "Folder of PNG files")->required();
  add_fresh(app, job->fresh);
  app.add_option("--corrupt", job->corruption.kind,
                 "Spoil the images first, and say how much comes back")
      ->check(CLI::IsMember(
          {"none", "gaussian", "pixels", "patches", "salt_and_pepper"}))
      ->capture_default_str();
  app.add_option("--sigma", job->corruption.sigma,
                 "Of gaussian: standard deviation on the [0,1] scale")
      ->check(in_range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--share", job->corruption.share,
                 "Of the pixels or patches that suffer")
      ->check(in_range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--patch-size", job->corruption.patch_size,
                 "Edge of a patch in pixels")
      ->check(in_range(1, 32768))
      ->capture_default_str();
  app.add_option("--seed", job->seed, "Of the corruption")
      ->capture_default_str();
  add_limit(app, job->limit);
  add_batch_size(app, job->batch_size);
  return run_of(job, denoise);
}

CommandRun add_explore(CLI::App& app) {
  auto job = new_job<ExploreJob>();
  app.add_option("model", job->model,
                 "Model folder or run folder of a codec or a diffusion model");
  app.add_option("store", job->store,
                 "Latent store that the codec made; its codes are the map");
  app.add_option("--codec", job->codec,
                 "Of a diffusion model, if it is not where it was");
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.get_option("--data")->required(false)->description(
      "Images: to be encoded, or those that the store is of. Without them "
      "and a store, those that the model's run was held to");
  app.add_option("--beside", job->beside,
                 "Another codec, for the same images, beside it");
  app.add_flag("--toy", job->toy,
               "No model: the family of autoencoders on points of the plane, "
               "learning while you watch");
  app.add_flag("--any-codec", job->any_codec,
               "Take the store's codes although another codec made them");
  app.add_option("--port", job->port, "On 127.0.0.1; 0: a free one")
      ->check(in_range(0, 65535))
      ->capture_default_str();
  app.add_flag("!--no-open", job->open, "Open no browser");
  app.add_option("--export", job->page,
                 "FILE.html: write a page that needs neither server nor "
                 "network, and end");
  app.add_option("--limit", job->limit,
                 "Show only the first so many images; 0: 100000, and 2000 in a "
                 "page that is given away")
      ->check(in_range(0, 100'000))
      ->capture_default_str();
  add_batch_size(app, job->batch_size);
  return run_of(job, explore);
}

CommandRun add_interpolate(CLI::App& app) {
  auto job = new_job<InterpolateJob>();
  app.add_option("codec", job->codec, kCodecHelp)->required();
  app.add_option("from", job->from,
                 "Image file, or a set of which the first is taken: "
                 "fashion-mnist:test[7:8]")
      ->required();
  app.add_option("to", job->to, "The same")->required();
  app.add_option("--out", job->out, "PNG file")->required();
  app.add_option("--path", job->path,
                 "Straight, or along the great circle between the codes")
      ->check(CLI::IsMember({"linear", "spherical"}))
      ->capture_default_str();
  app.add_option("--count", job->count, "Decoded pictures, both ends included")
      ->check(in_range(2, 1000))
      ->capture_default_str();
  app.add_option("--size", job->preprocessing.size,
                 "Edge of the square in pixels; 0 keeps each size")
      ->check(in_range(0, 16384))
      ->capture_default_str();
  add_reading_options(app, job->preprocessing);
  return run_of(job, interpolate);
}

CommandRun add_traverse(CLI::App& app) {
  auto job = new_job<TraverseJob>();
  app.add_option("codec", job->codec, kCodecHelp)->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out,
                 "PNG file: a row per number of the code, those that vary most "
                 "first")
      ->required();
  app.add_option("--directions", job->num_directions, "Rows")
      ->check(in_range(1, 1000))
      ->capture_default_str();
  app.add_option("--count", job->count, "Pictures per row")
      ->check(in_range(2, 1000))
      ->capture_default_str();
  app.add_option("--range", job->range,
                 "Standard deviations of the set to either side of the first "
                 "image")
      ->check(in_range(0.0, 1000.0))
      ->capture_default_str();
  app.add_option("--limit", job->limit,
                 "Images by which the numbers' spread is measured")
      ->check(in_range(2, 1'000'000'000))
      ->capture_default_str();
  add_batch_size(app, job->batch_size);
  return run_of(job, traverse);
}

CommandRun add_project(CLI::App& app) {
  auto job = new_job<ProjectJob>();
  app.add_option("codec", job->codec, kCodecHelp)->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out, "SVG file")->required();
  add_limit(app, job->limit);
  add_batch_size(app, job->batch_size);
  return run_of(job, project);
}

}  // namespace calotype
