#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "core/failure.h"
#include "core/memory.h"
#include "core/note.h"
#include "core/profile.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "core/version.h"
#include "nn/kernel_record.h"
#include "nn/precision.h"
#include "report/result_text.h"
#include "tools/command.h"
#include "tools/option_range.h"

namespace calotype {
namespace {

constexpr auto kCommands = std::to_array<Command>({
    {"train",
     "Train a codec, a diffusion model or a classifier; resumes by default",
     add_train, false, true},
    {"average", "A model of another averaging length, out of a run's snapshots",
     add_average},
    {"convert", "A checkpoint of another project as a model folder",
     add_convert},
    {"encode", "Images to a latent store", add_encode, true},
    {"decode", "A latent store to images", add_decode, true},
    {"generate", "Draw new latents and decode them", add_generate, true},
    {"reconstruct", "Encode and decode, side by side", add_reconstruct, true},
    {"evaluate", "How faithful a codec is, how alike two sets are",
     add_evaluate, true},
    {"embed", "Codes of images as a table", add_embed, true},
    {"anomaly", "Score images by how badly they are reconstructed", add_anomaly,
     true},
    {"denoise", "Images through a denoising autoencoder", add_denoise, true},
    {"interpolate", "A strip of pictures between two images", add_interpolate,
     true},
    {"traverse", "What each number of the code changes", add_traverse, true},
    {"project", "Codes in the plane of their principal components", add_project,
     true},
    {"explore", "Codes and what they decode to, live in a browser",
     add_explore},
    {"inspect", "Say what a model, run, store, shard, PNG or checkpoint holds",
     add_inspect},
    {"verify", "Check a latent store: hashes, counts, shapes", add_verify},
    {"demo", "All of it on Fashion-MNIST or on emoji, with a report", add_demo},
});

/// A result can carry bad news: skipped images, an unsound store, one that is
/// not complete, a checkpoint of no kind that is known.
ExitCode exit_code_of(const Json& result) {
  if (result.value("kind", Json()) == "unknown") return kCannot;
  return result.contains("skipped") || !result.value("sound", true) ||
                 !result.value("complete", true)
             ? kBadFile
             : kDone;
}

int fail(const std::string& message, int code) {
  const auto who = process_name();
  std::fprintf(stderr, "calotype%s: %s\n",
               who.empty() ? "" : fmt::format(" ({})", who).c_str(),
               message.c_str());
  return code;
}

/// Prints what a command gave. A reader that has seen enough, such as head,
/// ends the program as it ends others.
int print(const std::string& text, int code) {
  const bool whole =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
      std::fflush(stdout) == 0;
  if (whole) return code;
  if (errno == EPIPE) return kSignal + SIGPIPE;
  return fail(
      fmt::format("the result could not be printed: {}", std::strerror(errno)),
      kOther);
}

/// What to say where the first word is none of ours.
std::string no_command(int argc, char** argv) {
  std::string names;
  for (const auto& command : kCommands)
    names += fmt::format(" {}", command.name);
  return fmt::format(
      "{}; one of{} is needed, calotype --help says more",
      argc > 1 ? fmt::format("unknown command {}", argv[1]) : "no command",
      names);
}

/// Of a GPU nobody says here how much is free.
void limit_memory(const std::string& asked, c10::Device device) {
  if (!asked.empty())
    set_memory_limit(parse_bytes(asked, "--memory"));
  else if (device.is_cpu())
    set_memory_limit(free_memory_bytes());
}

int run(int argc, char** argv) {
  CLI::App app(
      "Images to latents and back: codecs, latent diffusion, fidelity.",
      "calotype");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default(false);

  RuntimeOptions runtime;
  std::string precision = "fp32", memory;
  bool profiles = false;
  bool as_json = false, quiet = false;
  CommandRun chosen;
  bool asks_networks = false;
  for (const auto& command : kCommands) {
    auto* sub = app.add_subcommand(command.name, command.summary);
    const auto work = command.add(*sub);
    sub->add_option("--threads", runtime.num_threads,
                    "CPU threads; 0: as many as may be used")
        ->check(in_range(0, 1024))
        ->capture_default_str();
    sub->add_option("--device", runtime.device, "auto, cpu, cuda or cuda:N")
        ->capture_default_str();
    if (command.asks_networks)
      sub->add_option("--precision", precision,
                      "What networks compute in; auto: bf16 where this "
                      "machine is faster in it")
          ->check(CLI::IsMember({"fp32", "bf16", "auto"}))
          ->capture_default_str();
    if (command.is_long) {
      sub->add_option("--memory", memory,
                      "Most that may be taken, such as 800M or 8G; default: "
                      "what the machine has free. Changes no result");
      sub->add_flag("--profile", profiles,
                    "Say where the time went, and how much of the machine was "
                    "used");
    }
    sub->add_flag("--json", as_json, "Print the result as JSON");
    sub->add_flag("--quiet", quiet, "No progress");
    sub->callback([&, work, asks = command.asks_networks] {
      chosen = work;
      asks_networks = asks;
    });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0)
      return app.exit(error);  // --help, --version
    if (app.get_subcommands().empty())
      return fail(one_line(no_command(argc, argv)), kCannot);
    return fail(one_line(error.what()), kCannot);
  }

  set_quiet(quiet);
  install_stop_signals();
  const CommandContext context{.device = set_up_runtime(runtime),
                               .precision = precision,
                               .num_threads = runtime.num_threads,
                               .has_memory = !memory.empty()};
  set_precision(resolve_precision(precision, context.device));
  resize_on_calling_thread();
  limit_memory(memory, context.device);
  if (profiles) begin_profile();
  auto result = chosen(context);
  if (profiles && result.is_object()) {
    auto profile = end_profile();
    profile.json.update(kernels_used(profile.operations_per_s));
    result["profile"] = profile.json;
  }
  if (const auto rows = take_rows_computed_again(); !rows.empty())
    note(
        fmt::format("{} images were not finite in bf16 and were computed "
                    "again in fp32",
                    rows.size()));
  if (result.is_null()) return kDone;  // of a process that does not speak
  const auto code = exit_code_of(result);
  if (!as_json) return print(result_text(result), code);
  if (asks_networks && result.is_object() && !result.contains("precision") &&
      !result.contains("protocol"))
    result["precision"] = precision_name(current_precision());
  const auto said = take_notes();
  if (!said.empty() && result.is_object() && !result.contains("notes"))
    result["notes"] = said;
  return print(json_text(result, 2) + "\n", code);
}

}  // namespace
}  // namespace calotype

int main(int argc, char** argv) {
  using namespace calotype;
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads ends no training
  try {
    return run(argc, argv);
  } catch (...) {
    const auto failure = current_failure();
    return fail(failure.text, failure.code);
  }
}
