#include "tests/commands/command_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "core/files.h"
#include "tests/support/program.h"

namespace calotype {
namespace {

constexpr const char* kAnyText = "<...>";

/// Whether `line` is `pattern`, in which kAnyText stands for any text.
bool line_matches(std::string_view pattern, std::string_view line) {
  const auto blank = pattern.find(kAnyText);
  if (blank == pattern.npos) return pattern == line;
  if (!line.starts_with(pattern.substr(0, blank))) return false;
  const auto rest = pattern.substr(blank + std::string_view(kAnyText).size());
  for (auto at = blank; at <= line.size(); ++at)
    if (line_matches(rest, line.substr(at))) return true;
  return false;
}

bool match_from(const std::vector<std::string>& patterns, size_t p,
                const std::vector<std::string>& lines, size_t l) {
  if (p == patterns.size()) return l == lines.size();
  if (patterns[p] == "...") {
    for (auto at = l; at <= lines.size(); ++at)
      if (match_from(patterns, p + 1, lines, at)) return true;
    return false;
  }
  return l < lines.size() && line_matches(patterns[p], lines[l]) &&
         match_from(patterns, p + 1, lines, l + 1);
}

/// "[2]"
bool read_code(const std::string& line, int& code) {
  if (line.size() < 3 || line.front() != '[' || line.back() != ']')
    return false;
  const auto* end = line.data() + line.size() - 1;
  const auto [at, error] = std::from_chars(line.data() + 1, end, code);
  return error == std::errc() && at == end;
}

void drop_empty_end(std::vector<std::string>& lines) {
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
}

std::string shown(const CommandStep& step, const std::vector<std::string>& out,
                  const std::vector<std::string>& err, int code) {
  auto text = "$ " + step.command + "\n";
  for (const auto& line : out) text += line + "\n";
  for (const auto& line : err) text += "! " + line + "\n";
  if (code != 0) text += fmt::format("[{}]\n", code);
  return text;
}

}  // namespace

std::vector<CommandStep> read_command_file(const std::string& text) {
  std::vector<CommandStep> steps;
  std::istringstream stream(text);
  int64_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.starts_with("$ ")) {
      steps.push_back({.line = number, .command = line.substr(2)});
    } else if (line.starts_with("# ") || line == "#") {
      continue;
    } else if (steps.empty()) {
      if (!line.empty())
        throw std::runtime_error(
            fmt::format("line {}: expected a command, got {}", number, line));
    } else if (line.starts_with("> ")) {
      steps.back().command.append(1, '\n').append(line, 2);
    } else if (line.starts_with("! ") || line == "!") {
      steps.back().err.push_back(line.size() < 2 ? "" : line.substr(2));
    } else if (!read_code(line, steps.back().code)) {
      steps.back().out.push_back(line);
    }
  }
  for (auto& step : steps) drop_empty_end(step.out);
  return steps;
}

bool matches(const std::vector<std::string>& patterns,
             const std::vector<std::string>& lines) {
  return match_from(patterns, 0, lines, 0);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (line.find("  left ") == line.npos &&
        line.find("this machine's oneDNN") == line.npos)
      lines.push_back(line);
  drop_empty_end(lines);
  return lines;
}

std::vector<std::string> run_command_file(const std::filesystem::path& file,
                                          const std::filesystem::path& folder) {
  std::vector<std::string> wrong;
  for (const auto& step : read_command_file(read_text_file(file))) {
    // The program's own folder leads, so that commands are typed as users do.
    const auto got = run_command({"/bin/sh", "-c",
                                  "export LC_ALL=C.UTF-8; cd \"$1\" && "
                                  "PATH=\"${CALOTYPE_PROGRAM%/*}:$PATH\" && " +
                                      step.command,
                                  "sh", folder.string()});
    const auto out = lines_of(got.out), err = lines_of(got.err);
    if (matches(step.out, out) && matches(step.err, err) &&
        step.code == got.code)
      continue;
    wrong.push_back(fmt::format("{}:{}: did this instead:\n{}", file.string(),
                                step.line, shown(step, out, err, got.code)));
  }
  return wrong;
}

}  // namespace calotype
