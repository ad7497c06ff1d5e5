#include "tools/train_group.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/failure.h"
#include "core/hash.h"
#include "core/memory.h"
#include "core/note.h"
#include "core/progress.h"
#include "core/runtime.h"

namespace calotype {
namespace {

/// How many processes say the same as this one.
int num_alike(ProcessGroup& group, uint64_t mine) {
  const auto all = group.all_of(mine);
  return int(std::count(all.begin(), all.end(), mine));
}

}  // namespace

TrainGroup::TrainGroup(const TogetherConfig& config) {
  if (config.alone) return;
  const auto launch = find_launch(environment_variable);
  if (!launch) return;
  if (!config.device.is_cpu())
    throw ConfigError(
        fmt::format("{}: processes train together on CPUs alone so far; "
                    "--alone trains in this one, --device cpu in all",
                    launch->variables));
  group_ = join_group(*launch, config.timeout_s);
  scope_.emplace(group_.get());
  // All are asked, whatever was said to one of them.
  const auto same_cpus = num_alike(*group_, usable_cpus_identity());
  const auto same_machine = num_alike(*group_, machine_identity());
  const auto num_threads = config.num_threads > 0
                               ? config.num_threads
                               : std::max(1, num_usable_cpus() / same_cpus);
  use_threads(num_threads);
  if (!config.has_memory) set_memory_limit(memory_limit() / same_machine);
  name_process(fmt::format("process {} of {}", launch->rank, launch->size),
               /*speaks=*/launch->rank == 0);
  if (launch->rank > 0) set_quiet(true);
  note(
      fmt::format("trains in {} processes ({}), each on {} thread{}; --alone "
                  "would train in this one",
                  launch->size, launch->variables, num_threads,
                  num_threads > 1 ? "s" : ""));
}

TrainGroup::~TrainGroup() = default;

Json TrainGroup::run(const std::function<Json()>& work) {
  if (!group_) return work();
  try {
    auto result = work();
    return group_->rank() == 0 ? result : Json();
  } catch (...) {
    if (!stopped_together_) group_->leave(current_failure().text);
    throw;
  }
}

RunFolder TrainGroup::open(const Json& identity,
                           const std::filesystem::path& path,
                           const std::function<RunFolder()>& made_by_first) {
  if (!group_) return made_by_first();
  const auto all = group_->all_of(xxh64(json_text(identity)));
  for (size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank] != all[0])
      throw ConfigError(fmt::format(
          "process {} was given another configuration, or sees other data, "
          "than process 0",
          rank));
  if (group_->rank() == 0) {
    auto run = made_by_first();
    group_->all_of(0);
    return run;
  }
  group_->all_of(0);
  return RunFolder::of_another_process(path);
}

void TrainGroup::together(const std::function<void()>& train) {
  try {
    train();
  } catch (const Interrupted&) {
    stopped_together_ = true;
    throw;
  } catch (const NumericError&) {  // of numbers that all of them have
    stopped_together_ = true;
    throw;
  }
}

}  // namespace calotype
