#include "training/run_folder.h"

#include <fmt/format.h>

#include <sstream>

#include "core/error.h"
#include "core/runtime.h"

namespace calotype {

namespace fs = std::filesystem;

std::string first_difference(const Json& before, const Json& now,
                             const std::string& where) {
  if (!before.is_object() || !now.is_object()) {
    if (before == now) return "";
    return fmt::format("{}: {} before, {} now", where, before.dump(),
                       now.dump());
  }
  const auto inside = [&](const std::string& key) {
    return where.empty() ? key : where + "." + key;
  };
  for (const auto& item : now.items()) {
    const auto old = before.contains(item.key()) ? before[item.key()] : Json();
    if (auto text = first_difference(old, item.value(), inside(item.key()));
        !text.empty())
      return text;
  }
  for (const auto& item : before.items())
    if (!now.contains(item.key()))
      return fmt::format("{}: {} before, nothing now", inside(item.key()),
                         item.value().dump());
  return "";
}

namespace {

Json stored_config(const fs::path& run_file,
                   const std::function<Json(const Json&)>& completed) {
  const auto stored = read_json_file(run_file).value("config", Json());
  if (!completed) return stored;
  try {
    return completed(stored);
  } catch (const ConfigError& error) {
    throw ConfigError(
        fmt::format("{}: holds a config that this version does not know ({}); "
                    "choose another --out, or --fresh to begin anew",
                    run_file.string(), error.what()));
  }
}

}  // namespace

RunFolder::RunFolder(const fs::path& path, const Json& config, bool fresh,
                     const std::function<Json(const Json&)>& completed)
    : path_(path) {
  make_folder(path / "samples");
  make_folder(path / "state");
  lock_ = std::make_unique<FolderLock>(path);
  const auto run_file = path / "run.json";
  if (fresh && fs::exists(run_file))
    forget_run();  // a model that is no run stays
  if (fs::exists(run_file)) {
    const auto difference =
        first_difference(stored_config(run_file, completed), config);
    if (!difference.empty())
      throw ConfigError(
          fmt::format("{}: holds a run of another config ({}); choose another "
                      "--out, or --fresh to "
                      "begin anew",
                      path.string(), difference));
    return;
  }
  const Json run{
      {"format_version", 1}, {"version", version_text()}, {"config", config}};
  write_file_atomic(run_file, json_text(run, 2) + "\n");
}

void RunFolder::forget_run() {
  for (const char* name :
       {"config.json", "diffusion_pytorch_model.safetensors",
        "scheduler_config.json", "latent_space.json", "class_names.json",
        "curves.svg", "codebook.svg", "loss_by_noise.svg"})
    fs::remove(path_ / name);
  for (const auto& old : {state_file(), metrics_file()}) fs::remove(old);
  for (const auto& sample : fs::directory_iterator(path_ / "samples"))
    fs::remove(sample);
  fs::remove(path_ / "run.json");  // the last, so that a kill leaves a run
}

fs::path RunFolder::sample_file(int64_t step) const {
  return path_ / "samples" / fmt::format("step-{:08}.png", step);
}

void RunFolder::log(const Json& line) {
  append_line_synced(metrics_file(), line.dump());
}

void RunFolder::forget_metrics_after(int64_t step) {
  if (!fs::exists(metrics_file())) return;
  std::string kept;
  for (const auto& line : read_metrics(metrics_file()))
    if (line.value("step", int64_t{0}) <= step) kept += line.dump() + "\n";
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
