#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/files.h"

namespace calotype {

/// Of run.json. Version 2 says what data the run reads and which files are its
/// own.
inline constexpr int64_t kRunFormatVersion = 2;

/// What a run has to do with the world outside.
struct RunContents {
  /// All that it reads, by the key of the config that names it:
  /// {"data.train": {"fingerprint": ..., "fingerprint_kind": ..., and what else
  /// a person may want to know of it}}.
  Json data = Json::object();

  /// Names of the files that others write into the folder for it, beside what
  /// every run writes itself.
  std::vector<std::string> files;

  /// Those of them that may be there before the run is.
  std::vector<std::string> brought;
};

/// The folder of a training run: a model folder (the averaged weights) plus
/// run.json (resolved config, versions, data), metrics.jsonl, curves.svg,
/// samples/, state/ and, with training.ema_lengths, ema/. One process writes at
/// a time.
class RunFolder {
 public:
  /// Makes the folder, or opens one that holds a run of the same config and
  /// data. Throws ConfigError naming the first key that differs, the data that
  /// have changed, or a file that is no run's in a folder that holds none;
  /// DataError for a run of a newer version. `fresh`: forget an earlier run:
  /// all that it wrote, and nothing else that lies there. `completed` reads a
  /// stored config as this program does, which gives the keys that it does not
  /// have yet their defaults; null: it is compared as it is.
  RunFolder(const std::filesystem::path& path, const Json& config,
            bool fresh = false,
            const std::function<Json(const Json&)>& completed = nullptr,
            const RunContents& contents = {});

  /// The run of a process that works at it together with this one
  /// (core/process_group.h) and writes it: nothing is written here. Throws
  /// ConfigError if it cannot be seen from this machine.
  static RunFolder of_another_process(const std::filesystem::path& path);

  /// Whether this process is the one that writes.
  bool writes() const { return lock_ != nullptr; }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path state_file() const { return state_file(path_); }
  static std::filesystem::path state_file(const std::filesystem::path& run) {
    return run / "state" / "state.safetensors";
  }
  std::filesystem::path metrics_file() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path ema_folder() const { return ema_folder(path_); }
  static std::filesystem::path ema_folder(const std::filesystem::path& run) {
    return run / "ema";
  }
  std::filesystem::path sample_file(int64_t step) const;

  /// Appends a line to metrics.jsonl, if this process writes.
  void log(const Json& line);

  /// Drops the lines after `step`, which a resumed run writes again; likewise.
  void forget_metrics_after(int64_t step);

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  void refuse_strangers(const RunContents& contents) const;
  void forget_run(const RunContents& contents);

  std::filesystem::path path_;
  std::unique_ptr<FolderLock> lock_;
};

/// The lines of a metrics.jsonl; a torn last line is left out.
std::vector<Json> read_metrics(const std::filesystem::path& path);

}  // namespace calotype
