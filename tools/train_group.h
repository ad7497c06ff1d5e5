#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/config.h"
#include "distributed/join.h"
#include "training/run_folder.h"

namespace calotype {

/// How a training finds the other processes that it works with.
struct TogetherConfig {
  bool alone = false;       // take no notice of a launcher
  double timeout_s = 120;   // how long another process may be waited for
  int num_threads = 0;      // of this one; 0: its share of the CPUs
  bool has_memory = false;  // --memory was said; else a share of what is free
  c10::Device device{c10::kCPU};
};

/// The processes that a launcher started to train together, or this one alone.
class TrainGroup {
 public:
  /// Meets the others. Of several processes the first alone speaks from now on,
  /// but for what goes wrong.
  explicit TrainGroup(const TogetherConfig& config);
  ~TrainGroup();

  /// `work`, in the group. What it throws is told to the others.
  Json run(const std::function<Json()>& work);

  /// A run folder made by the first process, after all have come here with the
  /// same `identity`. Throws ConfigError where one differs.
  RunFolder open(const Json& identity, const std::filesystem::path& path,
                 const std::function<RunFolder()>& made_by_first);

  /// Training, after which all of them stop together if they stop.
  void together(const std::function<void()>& train);

 private:
  std::unique_ptr<JoinedGroup> group_;
  std::optional<ProcessGroupScope> scope_;
  bool stopped_together_ = false;
};

}  // namespace calotype
