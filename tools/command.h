#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "core/config.h"
#include "core/runtime.h"

namespace calotype {

/// What every command knows when it runs.
struct CommandContext {
  c10::Device device{c10::kCPU};
};

/// The work of a command; its result goes to stdout.
using CommandRun = std::function<Json(const CommandContext&)>;

/// A subcommand: `add` declares its options and returns what to do with them.
struct Command {
  const char* name;
  const char* summary;
  CommandRun (*add)(CLI::App& app);
};

CommandRun add_train(CLI::App& app);
CommandRun add_encode(CLI::App& app);
CommandRun add_decode(CLI::App& app);
CommandRun add_generate(CLI::App& app);
CommandRun add_reconstruct(CLI::App& app);
CommandRun add_evaluate(CLI::App& app);
CommandRun add_inspect(CLI::App& app);
CommandRun add_verify(CLI::App& app);
CommandRun add_demo(CLI::App& app);

}  // namespace calotype
