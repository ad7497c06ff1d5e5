#include "tools/average.h"

#include <fmt/ranges.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "nn/model_folder.h"
#include "outputs/apart.h"
#include "outputs/folder_files.h"
#include "training/ema_snapshots.h"
#include "training/run_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

void check_folders(const AverageJob& job) {
  if (!fs::exists(job.run / "run.json"))
    throw ConfigError(job.run.string() + ": not a run folder, no run.json");
  if (fs::exists(job.out / "run.json"))
    throw ConfigError(job.out.string() +
                      ": holds a training run; choose another --out");
  expect_apart(job.out, {}, {job.run});
  if (!fs::exists(job.out / "config.json")) {  // which is written last
    expect_empty(job.out, kWeightsName);
    return;
  }
  const auto there = open_model_folder(job.out);
  if (!read_weights(there.weights).metadata.contains("calotype_average"))
    throw ConfigError(job.out.string() +
                      ": holds a model that is no average; choose another "
                      "--out");
}

/// Those that know nothing of what came after `step`; 0: all.
std::vector<EmaSnapshot> snapshots_until(const fs::path& run, int64_t step) {
  auto snapshots = list_ema_snapshots(RunFolder::ema_folder(run));
  if (snapshots.empty())
    throw ConfigError(
        fmt::format("{}: no snapshots of averages in ema/; train with "
                    "training.ema_lengths, such as [0.05, 0.1], and "
                    "training.ema_snapshot_every",
                    run.string()));
  const auto first = std::ranges::min(
      snapshots, {}, [](const EmaSnapshot& s) { return s.profile.step; });
  const auto last = std::ranges::max(
      snapshots, {}, [](const EmaSnapshot& s) { return s.profile.step; });
  if (step > last.profile.step)
    throw ConfigError(
        fmt::format("{}: the last snapshot is of step {}, --step is {}",
                    run.string(), last.profile.step, step));
  if (step > 0)
    std::erase_if(snapshots,
                  [&](const EmaSnapshot& s) { return s.profile.step > step; });
  if (snapshots.empty())
    throw ConfigError(
        fmt::format("{}: the first snapshot is of step {}, --step is {}",
                    run.string(), first.profile.step, step));
  return snapshots;
}

/// The length nearest to `length` that fits well enough, in thousandths.
std::optional<double> nearest_length(const ProfileBasis& basis, double length) {
  for (int64_t away = 0; away < 300; ++away)
    for (const int64_t side : {-1, 1}) {
      const double other =
          (std::round(length * 1000) + double(side * away)) / 1000;
      if (other < kShortestAverage || other > kLongestAverage) continue;
      if (basis.fit(other).error <= kWorstAverageFit) return other;
    }
  return {};
}

ProfileFit fit_or_refuse(const AverageJob& job,
                         const std::vector<AverageProfile>& profiles,
                         int64_t step) {
  const ProfileBasis basis(profiles, step);
  const auto fit = basis.fit(job.length);
  if (fit.error <= kWorstAverageFit) return fit;
  std::set<std::string> lengths;
  for (const auto& profile : profiles)
    lengths.insert(length_text(profile.length));
  const auto nearest = nearest_length(basis, job.length);
  throw ConfigError(fmt::format(
      "{}: {} snapshots of length {} give length {} only within {:.1f} %, "
      "expected {:.0f} %{}; more snapshots (training.ema_snapshot_every) reach "
      "further",
      job.run.string(), profiles.size(), fmt::join(lengths, " and "),
      job.length, 100 * fit.error, 100 * kWorstAverageFit,
      nearest ? fmt::format("; the nearest that fits is {:.3f}", *nearest)
              : ""));
}

/// The combination of the snapshots' parameters, summed in fp64.
std::map<std::string, at::Tensor> combined(
    const std::vector<EmaSnapshot>& snapshots,
    const std::vector<double>& shares) {
  std::map<std::string, at::Tensor> sums;
  Progress progress("average", int64_t(snapshots.size()), "snapshots");
  for (size_t i = 0; i < snapshots.size(); ++i) {
    throw_if_stopped();
    const auto weights = read_ema_snapshot(snapshots[i]);
    for (const auto& [name, tensor] : weights) {
      auto& sum = sums[name];
      if (!sum.defined()) sum = torch::zeros_like(tensor, torch::kDouble);
      if (sum.sizes() != tensor.sizes())
        throw DataError(fmt::format(
            "{}: {} must be {}, got {}", snapshots[i].path.string(), name,
            shape_text(sum.sizes()), shape_text(tensor.sizes())));
      sum.add_(tensor, shares[i]);
    }
    if (weights.size() != sums.size())
      throw DataError(snapshots[i].path.string() +
                      ": holds other parameters than the snapshots before it");
    progress.update(int64_t(i) + 1);
  }
  progress.finish();
  return sums;
}

/// What a model folder holds beside its weights; config.json is the last, since
/// it makes the folder one.
void copy_descriptions(const fs::path& run, const fs::path& out) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(run))
    if (entry.is_regular_file() && entry.path().extension() == ".json" &&
        entry.path().filename() != "run.json")
      files.push_back(entry.path().filename());
  std::ranges::sort(files, {}, [](const fs::path& name) {
    return std::pair(name == "config.json", name);
  });
  for (const auto& name : files)
    write_file_atomic(out / name, read_text_file(run / name));
}

}  // namespace

Json average(const AverageJob& job) {
  check_folders(job);
  check_range("average", "--length", job.length, kShortestAverage,
              kLongestAverage);
  const auto snapshots = snapshots_until(job.run, job.step);
  std::vector<AverageProfile> profiles;
  int64_t step = job.step;
  for (const auto& snapshot : snapshots) {
    profiles.push_back(snapshot.profile);
    if (job.step == 0) step = std::max(step, snapshot.profile.step);
  }
  const auto fit = fit_or_refuse(job, profiles, step);

  const auto folder = open_model_folder(job.run);
  auto weights = read_weights(folder.weights);
  for (const auto& [name, tensor] : combined(snapshots, fit.shares)) {
    const auto found = weights.tensors.find(name);
    if (found == weights.tensors.end() ||
        found->second.sizes() != tensor.sizes())
      throw DataError(
          fmt::format("{}: {} of the snapshots is missing or of another shape",
                      folder.weights.path.string(), name));
    found->second = tensor.to(found->second.scalar_type());
  }
  const Json said{{"length", job.length},
                  {"step", step},
                  {"snapshots", snapshots.size()},
                  {"fit_error", fit.error}};
  weights.metadata["calotype_average"] = json_text(said);
  make_folder(job.out);
  write_safetensors(job.out / kWeightsName, weights);
  copy_descriptions(job.run, job.out);
  Json result{{"model", job.out.string()}};
  result.update(said);
  return result;
}

}  // namespace calotype
