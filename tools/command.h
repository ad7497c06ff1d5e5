#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/config.h"
#include "core/runtime.h"
#include "core/work_parts.h"
#include "images/transforms.h"

namespace calotype {

/// What every command knows when it runs.
struct CommandContext {
  c10::Device device{c10::kCPU};
  std::string precision = "fp32";  // --precision, as it was asked for
  int num_threads = 0;             // --threads; 0: nobody said
  bool has_memory = false;         // --memory was said
};

/// The work of a command; its result goes to stdout.
using CommandRun = std::function<Json(const CommandContext&)>;

/// A subcommand: `add` declares its options and returns what to do with them.
struct Command {
  const char* name;
  const char* summary;
  CommandRun (*add)(CLI::App& app);
  bool asks_networks = false;    // takes --precision
  bool is_long = asks_networks;  // takes --memory and --profile
};

CommandRun add_train(CLI::App& app);
CommandRun add_convert(CLI::App& app);
CommandRun add_average(CLI::App& app);
CommandRun add_encode(CLI::App& app);
CommandRun add_decode(CLI::App& app);
CommandRun add_generate(CLI::App& app);
CommandRun add_reconstruct(CLI::App& app);
CommandRun add_evaluate(CLI::App& app);
CommandRun add_embed(CLI::App& app);
CommandRun add_anomaly(CLI::App& app);
CommandRun add_denoise(CLI::App& app);
CommandRun add_interpolate(CLI::App& app);
CommandRun add_traverse(CLI::App& app);
CommandRun add_project(CLI::App& app);
CommandRun add_explore(CLI::App& app);
CommandRun add_inspect(CLI::App& app);
CommandRun add_verify(CLI::App& app);
CommandRun add_demo(CLI::App& app);

/// The options that commands over a set of images share.
void add_data_options(CLI::App& app, std::string& data,
                      Preprocessing& preprocessing, int& num_workers,
                      bool& strict);

/// Those of how image files are read: --max-pixels and --icc.
void add_reading_options(CLI::App& app, Preprocessing& preprocessing);
void add_batch_size(CLI::App& app, int64_t& batch_size);
void add_dry_run(CLI::App& app, bool& dry_run);

/// --part and --finish of a command that several processes share. `part`:
/// "encode one of N parts"; `finish`: "Make the store of parts". Returns what
/// sets `part` when the command runs.
std::function<void()> add_part_options(CLI::App& app, const std::string& part,
                                       const std::string& finish,
                                       std::optional<Part>& chosen,
                                       bool& finishes);

/// --fresh of a command that fills a folder.
void add_fresh(CLI::App& app, bool& fresh);

/// A job on the heap, which the options write to and the run reads.
template <class Job>
std::shared_ptr<Job> new_job() {
  return std::make_shared<Job>();
}

}  // namespace calotype
