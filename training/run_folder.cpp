#include "training/run_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>
#include <sstream>

#include "core/error.h"
#include "core/json_difference.h"
#include "core/note.h"
#include "core/runtime.h"
#include "training/ema_snapshots.h"

namespace calotype {

namespace fs = std::filesystem;

namespace {

/// What every run writes into its folder itself.
constexpr std::array kOwnFiles = {"metrics.jsonl", "curves.svg", "codebook.svg",
                                  "loss_by_noise.svg"};

/// What others have written for runs of version 1, which kept no list.
constexpr std::array kFilesOfVersion1 = {
    "config.json",           "diffusion_pytorch_model.safetensors",
    "scheduler_config.json", "latent_space.json",
    "token_space.json",      "class_names.json",
    "cas_data.json"};

constexpr const char* kWhatToDo =
    "choose another --out, or --fresh to begin anew";

/// What the networks of a run compute in.
std::string precision_of(const Json& config) {
  const auto training = config.find("training");
  return training == config.end() ? "fp32"
                                  : training->value("precision", "fp32");
}

/// run.json, of a version that this program knows.
Json read_run(const fs::path& file) {
  const auto run = read_json_file(file);
  if (!run.is_object()) throw DataError(file.string() + ": expected {...}");
  const auto version = run.find("format_version");
  if (version == run.end() || !version->is_number_integer() ||
      version->get<int64_t>() < 1)
    throw DataError(file.string() + ": expected a format_version of 1 or more");
  if (version->get<int64_t>() > kRunFormatVersion)
    throw DataError(fmt::format(
        "{}: format_version {} is newer than {}, which this calotype reads",
        file.string(), version->get<int64_t>(), kRunFormatVersion));
  if (const auto precision = run.find("precision");
      precision != run.end() && *precision != "fp32" && *precision != "bf16")
    throw DataError(fmt::format(
        "{}: asks for precision {}, which this version does not compute in",
        file.string(), json_text(*precision)));
  return run;
}

Json stored_config(const Json& run, const fs::path& run_file,
                   const std::function<Json(const Json&)>& completed) {
  const auto found = run.find("config");
  const auto stored = found == run.end() ? Json() : *found;
  if (!completed) return stored;
  try {
    return completed(stored);
  } catch (const ConfigError& error) {
    throw ConfigError(
        fmt::format("{}: holds a config that this version does not know ({}); "
                    "{}",
                    run_file.string(), error.what(), kWhatToDo));
  }
}

std::string text_of(const Json& entry, const char* key) {
  const auto found = entry.find(key);
  return found != entry.end() && found->is_string() ? found->get<std::string>()
                                                    : "";
}

/// Throws ConfigError where `now` is not the data that a run began with.
void expect_same_data(const Json& run, const Json& now, const fs::path& path) {
  const auto before = run.find("data");
  if (before == run.end() || !before->is_object()) {
    if (!now.empty())
      note(fmt::format(
          "{}: began with a version that kept no fingerprints; whether "
          "its data are still the same cannot be checked",
          path.string()));
    return;
  }
  for (const auto& item : now.items()) {
    const auto old = before->find(item.key());
    if (old == before->end() || !old->is_object()) continue;
    const auto& entry = item.value();
    if (text_of(*old, "fingerprint_kind") != text_of(entry, "fingerprint_kind"))
      note(fmt::format(
          "{}: {} has a fingerprint of another kind than when the run "
          "began; whether it is still the same cannot be checked",
          path.string(), item.key()));
    else if (text_of(*old, "fingerprint") != text_of(entry, "fingerprint"))
      throw ConfigError(fmt::format(
          "{}: {} has changed since the run began ({} before, {} now); bring "
          "it back, {}",
          path.string(), item.key(), json_text(*old), json_text(entry),
          kWhatToDo));
  }
}

/// A name in the folder itself, whatever a run.json says.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find('/') == std::string::npos;
}

/// The same, or one in a folder that lies there: part of a pipeline.
bool is_name_inside(const std::string& name) {
  const auto slash = name.find('/');
  return is_plain_name(name.substr(0, slash)) &&
         (slash == std::string::npos || is_plain_name(name.substr(slash + 1)));
}

/// Removes the file, and the folder around it where that is empty then; one
/// that is a link leads elsewhere.
void remove_inside(const fs::path& folder, const std::string& name) {
  const auto file = folder / name;
  const auto around = file.parent_path();
  if (around != folder && fs::is_symlink(around)) return;
  if (fs::is_regular_file(file)) fs::remove(file);
  if (around != folder && fs::is_directory(around) && fs::is_empty(around))
    fs::remove(around);
}

/// The files that others wrote for a run.
std::vector<std::string> files_of(const Json& run) {
  const auto listed = run.find("files");
  if (listed == run.end() || !listed->is_array())
    return {kFilesOfVersion1.begin(), kFilesOfVersion1.end()};
  std::vector<std::string> names;
  for (const auto& name : *listed)
    if (name.is_string() && is_name_inside(name.get<std::string>()))
      names.push_back(name.get<std::string>());
  return names;
}

bool is_among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// "step-00001000.png".
bool is_sample_name(const std::string& name) {
  static const std::regex pattern(R"(step-\d{8,}\.png)");
  return std::regex_match(name, pattern);
}

}  // namespace

RunFolder::RunFolder(const fs::path& path, const Json& config, bool fresh,
                     const std::function<Json(const Json&)>& completed,
                     const RunContents& contents)
    : path_(path) {
  const auto run_file = path / "run.json";
  if (!fs::exists(run_file)) refuse_strangers(contents);
  make_folder(path / "samples");
  make_folder(path / "state");
  lock_ = std::make_unique<FolderLock>(path);
  if (fresh && fs::exists(run_file)) forget_run(contents);
  if (fs::exists(run_file)) {
    const auto run = read_run(run_file);
    const auto difference =
        difference_text(stored_config(run, run_file, completed), config);
    if (!difference.empty())
      throw ConfigError(
          fmt::format("{}: holds a run of another config ({}); {}",
                      path.string(), difference, kWhatToDo));
    expect_same_data(run, contents.data, path);
    return;
  }
  const Json run{{"format_version", kRunFormatVersion},
                 {"version", version_text()},
                 {"config", config},
                 {"precision", precision_of(config)},
                 {"data", contents.data},
                 {"files", contents.files}};
  write_file_atomic(run_file, json_text(run, 2) + "\n");
}

RunFolder RunFolder::of_another_process(const fs::path& path) {
  if (!fs::exists(path / "run.json"))
    throw ConfigError(fmt::format(
        "{}: cannot be seen from this machine; --out must lie where "
        "all processes see it",
        path.string()));
  return RunFolder(path);
}

/// Throws ConfigError if the folder holds what no run has written, which must
/// neither be overwritten nor be taken for a part of it.
void RunFolder::refuse_strangers(const RunContents& contents) const {
  if (!fs::exists(path_)) return;
  if (!fs::is_directory(path_))
    throw ConfigError(path_.string() +
                      ": is a file, and --out names the folder of a run");
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto name = entry.path().filename().string();
    const bool is_begun = (name == "samples" || name == "state") &&
                          entry.is_directory() && fs::is_empty(entry.path());
    if (name.starts_with('.') || is_begun || is_among(contents.brought, name))
      continue;
    throw ConfigError(fmt::format(
        "{}: holds {}, and no run; choose an empty folder, or one that is not "
        "there yet, for --out",
        path_.string(), name));
  }
}

/// Removes what an earlier run wrote, and nothing else that lies there.
void RunFolder::forget_run(const RunContents& contents) {
  const auto run_file = path_ / "run.json";
  const auto run = read_json_object(run_file);
  if (!run.contains("config") ||
      !run.value("format_version", Json()).is_number_integer())
    throw ConfigError(
        fmt::format("{}: is of another program, and so may be what lies beside "
                    "it; choose another --out",
                    run_file.string()));
  auto names = files_of(run);
  for (const auto& name : contents.files)
    if (!is_among(names, name) && fs::exists(path_ / name))
      throw ConfigError(fmt::format(
          "{}: {} is not of the run that --fresh forgets, and would be "
          "overwritten; move it, or choose another --out",
          path_.string(), name));
  names.insert(names.end(), kOwnFiles.begin(), kOwnFiles.end());
  for (const auto& name : names) remove_inside(path_, name);
  fs::remove(state_file());
  std::vector<fs::path> samples;
  for (const auto& entry : fs::directory_iterator(path_ / "samples"))
    if (is_sample_name(entry.path().filename().string()))
      samples.push_back(entry.path());
  for (const auto& sample : samples) fs::remove(sample);
  forget_ema_snapshots_after(ema_folder(), 0);
  if (fs::is_directory(ema_folder()) && fs::is_empty(ema_folder()))
    fs::remove(ema_folder());
  fs::remove(run_file);  // the last, so that a kill leaves a run
}

fs::path RunFolder::sample_file(int64_t step) const {
  return path_ / "samples" / fmt::format("step-{:08}.png", step);
}

void RunFolder::log(const Json& line) {
  if (writes()) append_line_synced(metrics_file(), json_text(line));
}

void RunFolder::forget_metrics_after(int64_t step) {
  if (!writes() || !fs::exists(metrics_file())) return;
  std::string kept;
  for (const auto& line : read_metrics(metrics_file()))
    if (line.value("step", int64_t{0}) <= step) kept += json_text(line) + "\n";
  write_file_atomic(metrics_file(), kept);
}

std::vector<Json> read_metrics(const fs::path& path) {
  std::vector<Json> lines;
  std::istringstream text(read_text_file(path));
  for (std::string line; std::getline(text, line);) {
    auto json = json_or_text(line);
    if (json.is_object()) lines.push_back(std::move(json));
  }
  return lines;
}

}  // namespace calotype
