#include "datasets/spec_pattern.h"
#include "diffusion/samplers.h"
#include "distributed/launch.h"
#include "tools/average.h"
#include "tools/command.h"
#include "tools/decode.h"
#include "tools/demo.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "tools/inspect.h"
#include "tools/option_range.h"
#include "tools/reconstruct.h"
#include "tools/verify.h"
#include "training/power_profile.h"

// The options of each command: name, unit, range and default, in the words of
// --help.
namespace calotype {
namespace {

constexpr const char* kDataHelp =
    "Folder of images (sub-folders are classes; images beside them have none), "
    "one image, a tar or zip of them, a list of paths (.txt, .csv, .jsonl), an "
    "IDX file, "
    "fashion-mnist:train, fashion-mnist:test, emoji:google, emoji:twitter or "
    "synthetic:COUNT:SIZE; [A:B] "
    "behind it keeps images A to B-1, [class=NAME,...] classes, "
    "[class!=NAME,...] all others (a name may hold commas and brackets); "
    "several by --data again, by {a,b}, {000..127} or wildcards in quotes";

}  // namespace

void add_data_options(CLI::App& app, std::string& data,
                      Preprocessing& preprocessing, int& num_workers,
                      bool& strict) {
  app.add_option_function<std::vector<std::string>>(
         "--data",
         [&data](const std::vector<std::string>& specs) {
           data = join_specs(specs);
         },
         kDataHelp)
      ->required()
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--size", preprocessing.size,
                 "Edge of the square in pixels; 0 keeps each size")
      ->check(in_range(0, 16384))
      ->capture_default_str();
  app.add_option(
         "--resize", preprocessing.resize,
         "How, antialiased; aliased alone is bilinear and skips pixels, "
         "to compare with those who do so")
      ->check(CLI::IsMember({"area", "bilinear", "bicubic", "aliased", "none"}))
      ->capture_default_str();
  app.add_option("--crop", preprocessing.crop, "To the square")
      ->check(CLI::IsMember({"center", "squash"}))
      ->capture_default_str();
  add_reading_options(app, preprocessing);
  app.add_option("--workers", num_workers, "Decoding threads")
      ->check(in_range(1, 256))
      ->capture_default_str();
  app.add_flag("--strict", strict,
               "Stop at the first bad image instead of skipping it");
}

void add_reading_options(CLI::App& app, Preprocessing& preprocessing) {
  app.add_option("--max-pixels", preprocessing.max_pixels,
                 "Largest image that is read, in pixels; a larger JPEG is "
                 "decoded at eighths of its size where --size allows")
      ->check(in_range(int64_t{1}, int64_t{4'000'000'000}))
      ->capture_default_str();
  app.add_option("--icc", preprocessing.icc,
                 "Colour profiles: keep takes pixels as stored, convert makes "
                 "them sRGB")
      ->check(CLI::IsMember({"keep", "convert"}))
      ->capture_default_str();
}

void add_batch_size(CLI::App& app, int64_t& batch_size) {
  app.add_option("--batch-size", batch_size, "Images per pass of the network")
      ->check(in_range(1, 65536))
      ->capture_default_str();
}

void add_dry_run(CLI::App& app, bool& dry_run) {
  app.add_flag("--dry-run", dry_run,
               "Say what would be done, about how long it takes and how much "
               "memory, and stop");
}

void add_fresh(CLI::App& app, bool& fresh) {
  app.add_flag("--fresh", fresh,
               "Remove what an earlier call wrote to --out; what is not "
               "proven to be of this program stays, and is refused");
}

std::function<void()> add_part_options(CLI::App& app, const std::string& part,
                                       const std::string& finish,
                                       std::optional<Part>& chosen,
                                       bool& finishes) {
  auto text = new_job<std::string>();
  app.add_option(
      "--part", *text,
      fmt::format("I/N, counted from 0: {}, each in a process of its own, on "
                  "any machines that see the files; /N where a launcher says "
                  "I. Where it says both this need not be said, and 0/1 takes "
                  "no notice",
                  part));
  app.add_flag("--finish", finishes,
               finish +
                   " that are all there (the last part does so too), or "
                   "say which are missing");
  return [text, &chosen, &finishes] {
    if (!finishes) chosen = find_part(*text, environment_variable);
    if (chosen && chosen->count == 1 && !chosen->is_array) chosen.reset();
  };
}

CommandRun add_average(CLI::App& app) {
  auto job = new_job<AverageJob>();
  app.add_option("run", job->run,
                 "Run folder that was trained with training.ema_lengths")
      ->required();
  app.add_option("--length", job->length,
                 "Of the average: standard deviation of its memory, as a share "
                 "of the training")
      ->check(in_range(kShortestAverage, kLongestAverage))
      ->required();
  app.add_option("--out", job->out, "Model folder, as generate takes it")
      ->required();
  app.add_option("--step", job->step,
                 "The average as it was after so many steps; 0: at the last "
                 "snapshot")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  return [job](const CommandContext&) { return average(*job); };
}

CommandRun add_encode(CLI::App& app) {
  auto job = new_job<EncodeJob>();
  app.add_option("codec", job->codec,
                 "Model folder or run folder of a codec; pixels:1 (grey) or "
                 "pixels:3 stores the pixels")
      ->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out,
                 "Latent store; one that was broken off goes on")
      ->required();
  app.add_option("--kind", job->kind,
                 "What of the codec is stored; auto: tokens if it is a "
                 "tokenizer, else latents")
      ->check(CLI::IsMember({"auto", "latents", "tokens"}))
      ->capture_default_str();
  app.add_option("--dtype", job->dtype,
                 "Of the stored latents; tokens take the smallest that holds "
                 "them")
      ->check(CLI::IsMember({"fp32", "fp16", "bf16"}))
      ->capture_default_str();
  app.add_option(
         "--packing", job->packing,
         "Of stored tokens: as numbers, as few bits as a code needs, or "
         "range-coded")
      ->check(CLI::IsMember({"none", "bits", "entropy"}))
      ->capture_default_str();
  app.add_flag("--flips", job->flips,
               "Also store the latents of each mirror image, for training "
               "that mirrors; twice the work of the model, twice the size");
  add_batch_size(app, job->batch_size);
  app.add_option("--rows-per-shard", job->rows_per_shard, "Images per shard")
      ->check(in_range(1, 1'000'000'000))
      ->capture_default_str();
  add_dry_run(app, job->dry_run);
  const auto choose_part =
      add_part_options(app, "encode one of N parts", "Make the store of parts",
                       job->part, job->finishes);
  return [job, choose_part](const CommandContext& context) {
    job->device = context.device;
    job->precision = context.precision;
    choose_part();
    return encode(*job);
  };
}

CommandRun add_decode(CLI::App& app) {
  auto job = new_job<DecodeJob>();
  app.add_option("codec", job->codec,
                 "Model folder of the codec that made the store")
      ->required();
  app.add_option("store", job->store, "Latent store")->required();
  app.add_option("--out", job->out, "Folder of PNG files")->required();
  app.add_option("--limit", job->limit, "Only the first so many images; 0: all")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  add_batch_size(app, job->batch_size);
  app.add_flag("--any-codec", job->any_codec,
               "Decode although the codec is another");
  app.add_flag("--flipped", job->flipped,
               "The mirror images, of a store encoded with --flips");
  add_dry_run(app, job->dry_run);
  add_fresh(app, job->fresh);
  const auto choose_part = add_part_options(app, "decode one of N parts",
                                            "Complete the folder of parts",
                                            job->part, job->finishes);
  return [job, choose_part](const CommandContext& context) {
    job->device = context.device;
    choose_part();
    return decode(*job);
  };
}

CommandRun add_generate(CLI::App& app) {
  auto job = new_job<GenerateJob>();
  app.add_option("model", job->model,
                 "Run folder of a latent diffusion model, what average made of "
                 "one, a pipeline of diffusers (LDMPipeline, DiTPipeline), a "
                 "generator of tokens, or an autoencoder whose prior is drawn "
                 "from")
      ->required();
  app.add_option("--out", job->out,
                 "Folder of PNG files, or the store with --latents")
      ->required();
  app.add_flag("--latents", job->latents,
               "Write a latent store instead of images");
  app.add_option("--codec", job->codec,
                 "Decoder; default: the one that the model remembers");
  app.add_flag("--any-codec", job->any_codec,
               "Decode although the codec is another");
  app.add_option("--count", job->count, "Images")
      ->check(at_least(int64_t{1}))
      ->capture_default_str();
  app.add_option(
         "--first", job->first,
         "Number of the first sample; sample k is the same in any call, "
         "but for rounding")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--class",
         [job](const std::vector<std::string>& each) {
           job->classes = fmt::format("{}", fmt::join(each, "\n"));
         },
         "all (in turn), none, or names or numbers with commas; may stand "
         "several times. What is a class's name is the class, commas and all; "
         "of a class with several names (\"tench, Tinca tinca\") each will do")
      ->allow_extra_args(false)
      ->default_str(job->classes);
  app.add_option("--steps", job->steps,
                 "Of the walk from noise to latents; 0: 50 for diffusion, 12 "
                 "for tokens. heun and edm ask the network twice a step")
      ->check(in_range(0, 1000))
      ->capture_default_str();
  auto samplers = sampler_names();
  samplers.insert(samplers.begin(), "auto");
  app.add_option("--sampler", job->sampler,
                 "How to walk; auto: ddim, euler for a flow, heun for EDM, of "
                 "a pipeline as its scheduler does")
      ->check(CLI::IsMember(samplers))
      ->capture_default_str();
  app.add_option("--eta", job->eta, "Noise that ddim adds, 0 none to 1 as ddpm")
      ->check(in_range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--churn", job->churn,
                 "Noise that edm adds: S_churn, 0 none; default: as the "
                 "model's scheduler_config.json says, or 40")
      ->check(in_range(0.0, 1e6));
  app.add_option("--spacing", job->spacing,
                 "Of the noise levels; default: as the model's "
                 "scheduler_config.json says, karras for heun and edm if it "
                 "names another sampler")
      ->check(CLI::IsMember({"leading", "linspace", "trailing", "karras",
                             "exponential", "linear"}));
  app.add_option("--guidance", job->guidance,
                 "Weight of the class, or of the model against its --guide; 1 "
                 "is no guidance; default: 2, of a DiTPipeline 4, without "
                 "classes 1")
      ->check(in_range(0.0, 100.0));
  app.add_option("--guidance-interval", job->guidance_interval,
                 "LOW:HIGH of the noise over the signal where to guide at all")
      ->capture_default_str();
  app.add_option("--guidance-rescale", job->guidance_rescale,
                 "Share, 0 to 1, of what guidance adds to the contrast that "
                 "is taken back")
      ->check(in_range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--guide", job->guide,
                 "Guide by a weaker model, smaller or trained less, instead "
                 "of by hiding the class");
  app.add_option("--init-image", job->init_image,
                 "Start from this image under noise instead of from noise");
  add_reading_options(app, job->reading);
  app.add_option("--strength", job->strength,
                 "With --init-image: share of the steps that are walked, 0 to "
                 "1; default: 0.6, with a mask 1")
      ->check(in_range(1e-6, 1.0));
  app.add_option("--mask", job->mask,
                 "With --init-image, of its size: what is white is drawn "
                 "anew, the rest stays");
  app.add_option("--to-seed", job->to_seed,
                 "Draw sample --first only, on the way from the noise of "
                 "--seed to that of this seed in --count images");
  app.add_option("--preview-every", job->preview_every,
                 "Show what is being drawn in OUT.preview.png after so many "
                 "calls of the network; 0: never")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  app.add_option("--seed", job->seed, "Of the noise")->capture_default_str();
  app.add_option("--noise", job->noise,
                 "calotype: of each sample for itself; diffusers: of all "
                 "--count at once, as its pipelines draw it after "
                 "torch.manual_seed(SEED) on the CPU, so that pictures are "
                 "the same")
      ->check(CLI::IsMember({"calotype", "diffusers"}))
      ->capture_default_str();
  add_dry_run(app, job->dry_run);
  add_fresh(app, job->fresh);
  add_batch_size(app, job->batch_size);
  const auto choose_part = add_part_options(app, "draw one of N parts",
                                            "Complete the folder of parts",
                                            job->part, job->finishes);
  return [job, choose_part](const CommandContext& context) {
    job->device = context.device;
    choose_part();
    return generate(*job);
  };
}

CommandRun add_reconstruct(CLI::App& app) {
  auto job = new_job<ReconstructJob>();
  app.add_option("codec", job->codec, "Model folder of a codec")->required();
  add_data_options(app, job->data, job->preprocessing, job->num_workers,
                   job->strict);
  app.add_option("--out", job->out,
                 "Folder of PNG files, original beside reconstruction")
      ->required();
  add_dry_run(app, job->dry_run);
  add_fresh(app, job->fresh);
  app.add_option("--limit", job->limit, "Only the first so many images; 0: all")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  add_batch_size(app, job->batch_size);
  return [job](const CommandContext& context) {
    job->device = context.device;
    return reconstruct(*job);
  };
}

CommandRun add_inspect(CLI::App& app) {
  auto path = new_job<std::filesystem::path>();
  app.add_option("path", *path,
                 "Model folder, training run, latent store, shard, PNG, or a "
                 "checkpoint of another project (.safetensors, .ckpt, .pth, "
                 ".pt, .bin), of which nothing is run")
      ->required();
  auto list_tensors = new_job<bool>();
  app.add_flag("--tensors", *list_tensors,
               "List each tensor of a checkpoint, with type and shape");
  return [path, list_tensors](const CommandContext&) {
    return inspect(*path, *list_tensors);
  };
}

CommandRun add_verify(CLI::App& app) {
  auto store = new_job<std::filesystem::path>();
  app.add_option("store", *store, "Latent store")->required();
  auto within_limits = new_job<bool>();
  app.add_flag("--within-limits", *within_limits)->group("");  // for itself
  return [store, within_limits](const CommandContext&) {
    return *within_limits ? verify_within_limits(*store)
                          : verify_apart(*store, "/proc/self/exe");
  };
}

CommandRun add_demo(CLI::App& app) {
  auto job = new_job<DemoJob>();
  app.add_option("--out", job->out,
                 "Folder for the runs, the stores and the report; default: "
                 "demo, or demo_emoji");
  app.add_option("--preset", job->preset,
                 "short: clothes, about 10 minutes on 2 cores; long: the same, "
                 "at most 60; emoji: a tokenizer and two generators in colour, "
                 "about 40 (first ./run data emoji)")
      ->check(CLI::IsMember({"short", "long", "emoji", "tiny", "emoji-tiny"}))
      ->capture_default_str();
  return [job](const CommandContext& context) {
    job->device = context.device;
    return demo(*job);
  };
}

}  // namespace calotype
