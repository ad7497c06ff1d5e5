#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/config.h"
#include "core/files.h"

namespace calotype {

/// The folder of a training run: a model folder (the averaged weights) plus
/// run.json (resolved config and versions), metrics.jsonl, curves.svg,
/// samples/, state/ and, with training.ema_lengths, ema/. One process writes at
/// a time.
class RunFolder {
 public:
  /// Makes the folder, or opens one that holds a run of the same config. Throws
  /// ConfigError naming the first key that differs. `fresh`: forget an earlier
  /// run. `completed` reads a stored config as this program does, which gives
  /// the keys that it does not have yet their defaults; null: it is compared as
  /// it is.
  RunFolder(const std::filesystem::path& path, const Json& config,
            bool fresh = false,
            const std::function<Json(const Json&)>& completed = nullptr);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path state_file() const {
    return path_ / "state" / "state.safetensors";
  }
  std::filesystem::path metrics_file() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path ema_folder() const { return ema_folder(path_); }
  static std::filesystem::path ema_folder(const std::filesystem::path& run) {
    return run / "ema";
  }
  std::filesystem::path sample_file(int64_t step) const;

  /// Appends a line to metrics.jsonl.
  void log(const Json& line);

  /// Drops the lines after `step`, which a resumed run writes again.
  void forget_metrics_after(int64_t step);

 private:
  /// Removes what an earlier run wrote, by name: nothing else that lies there.
  /// Averages in ema/ go when the new run starts at step 0.
  void forget_run();

  std::filesystem::path path_;
  std::unique_ptr<FolderLock> lock_;
};

/// The lines of a metrics.jsonl; a torn last line is left out.
std::vector<Json> read_metrics(const std::filesystem::path& path);

/// "training.steps: 100 before, 200 now", or empty if both are alike.
std::string first_difference(const Json& before, const Json& now,
                             const std::string& where = "");

}  // namespace calotype
