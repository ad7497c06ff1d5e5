#pragma once

#include <filesystem>
#include <string>
#include <vector>

// Commands and what they print, as one would show them to a person:
//
//   # A comment.
//   $ calotype inspect store --json
//   {"kind": "latent store", "rows": <...>}
//   $ calotype inspect nowhere
//   ! nowhere: no such file
//   [2]
//
// "> " goes on with the command of the line above, "! " is a line of stderr,
// "[2]" the exit code, 0 where there is none. "<...>" stands for any text in a
// line, a line "..." for any lines.
namespace calotype {

/// One command of a file.
struct CommandStep {
  int64_t line = 0;  // where it stands, from 1
  std::string command;
  std::vector<std::string> out, err;  // patterns, line by line
  int code = 0;
};

/// The text of a file between its commands belongs to the command above it.
/// Throws std::runtime_error for a line before the first command that is
/// neither empty nor a comment.
std::vector<CommandStep> read_command_file(const std::string& text);

/// Whether `lines` are those that `patterns` describe.
bool matches(const std::vector<std::string>& patterns,
             const std::vector<std::string>& lines);

/// The lines of a text, without empty ones at its end. What is of the machine
/// and not of the command is left out: the progress that a slow one prints in
/// between ("... left 9s"), and the note that its oneDNN is not used.
std::vector<std::string> lines_of(const std::string& text);

/// Runs the commands of a file in turn by /bin/sh, in `folder`. Returns one
/// message per command that did something else, with what it printed.
std::vector<std::string> run_command_file(const std::filesystem::path& file,
                                          const std::filesystem::path& folder);

}  // namespace calotype
