#include "core/error.h"
#include "datasets/spec_pattern.h"
#include "tools/command.h"
#include "tools/named_configs.h"
#include "tools/option_range.h"
#include "tools/train.h"

namespace calotype {
namespace {

/// An option that may stand several times, each with one set.
void add_specs(CLI::App& app, const char* name, std::vector<std::string>& specs,
               const std::string& help) {
  app.add_option(name, specs, help)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace

CommandRun add_train(CLI::App& app) {
  struct Options {
    std::filesystem::path config;
    std::vector<std::string> overrides;
    std::vector<std::string> data, validation;
    TrainChoices choices;
    TrainJob job;
    bool lists = false;
  };
  auto options = new_job<Options>();
  app.add_option("config", options->config,
                 "Training configuration: a file, or a name of --list");
  app.add_option("--out", options->job.out,
                 "Run folder; a run that is there goes on");
  app.add_flag("--list", options->lists,
               "Say which configurations have names, what each is for and what "
               "it costs, and stop");
  add_specs(app, "--data", options->data,
            "What to train on: images (as --data of encode), or a latent store "
            "for a model of latents");
  add_specs(app, "--validation", options->validation,
            "What to validate on; none: on nothing, if --data is given");
  app.add_flag("--cache", options->choices.caches,
               "Keep plain copies of compressed tars in the user's cache "
               "folder, which is what shuffling them takes");
  app.add_option("--size", options->choices.size,
                 "Edge of the square that images are made, in pixels; 0: as "
                 "configured")
      ->check(in_range(int64_t{0}, int64_t{16384}))
      ->capture_default_str();
  app.add_option("--steps", options->choices.steps,
                 "Of the training; 0: as configured")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  app.add_option("--init", options->choices.init,
                 "Begin with the weights of a model folder, a run, a pipeline "
                 "or a checkpoint, as far as names and shapes are the same");
  app.add_option("--teacher", options->choices.teacher,
                 "Codec whose latents a small decoder learns, or a latent "
                 "store of it, whose images are looked for where they were");
  app.add_option("--set", options->overrides,
                 "Change the configuration: key.key=value");
  app.add_flag("--fresh", options->job.fresh,
               "Forget an earlier run in the folder");
  app.add_flag("--dry-run", options->job.dry_run,
               "Print the resolved configuration, about how long it takes and "
               "how much memory, and stop");
  app.add_option(
         "--stop-after", options->job.stop_after,
         "End this call after so many steps, state saved; 0: train to the end")
      ->check(at_least(int64_t{0}))
      ->capture_default_str();
  app.add_flag("--pipeline", options->job.pipeline,
               "Of latent diffusion: leave a pipeline in the run, which "
               "DiffusionPipeline.from_pretrained opens");
  app.add_flag("--alone", options->job.together.alone,
               "Train in this process, whatever launcher has started it "
               "(torchrun, mpirun, srun)");
  app.add_option("--timeout", options->job.together.timeout_s,
                 "Seconds that another process of the training may be waited "
                 "for before all end")
      ->check(in_range(1.0, 86400.0))
      ->capture_default_str();
  return [options](const CommandContext& context) {
    if (options->lists) return list_named_configs();
    if (options->config.empty()) throw ConfigError("config is required");
    if (options->job.out.empty()) throw ConfigError("--out is required");
    auto choices = options->choices;
    if (!options->data.empty()) choices.data = join_specs(options->data);
    if (!options->validation.empty())
      choices.validation = join_specs(options->validation);
    auto job = options->job;
    job.config =
        read_train_config(options->config, options->overrides, choices);
    job.device = context.device;
    job.together.device = context.device;
    job.together.num_threads = context.num_threads;
    job.together.has_memory = context.has_memory;
    return train(job);
  };
}

}  // namespace calotype
