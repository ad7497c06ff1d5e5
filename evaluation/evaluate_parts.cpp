#include "evaluation/evaluate_parts.h"

#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/json_difference.h"
#include "core/note.h"
#include "core/progress.h"
#include "core/stop_signal.h"
#include "core/work_parts.h"
#include "datasets/image_source.h"
#include "evaluation/report_parts.h"
#include "nn/precision.h"
#include "outputs/apart.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Where parts keep what they measured, until the result is there.
fs::path parts_folder_of(const EvaluateJob& job) {
  return job.out.string() + ".parts";
}

/// The result that is there; null if there is none.
Json found_result(const EvaluateJob& job) {
  if (!fs::exists(fs::symlink_status(job.out))) return {};
  Json found;
  try {
    found = read_json_file(job.out);
  } catch (const DataError&) {  // no JSON
  }
  if (!found.is_object() || !found.contains("protocol") ||
      !found.contains("call"))
    throw ConfigError(fmt::format(
        "{}: is there, and is no result that evaluate --out wrote; choose "
        "another --out, or move it away",
        job.out.string()));
  return found;
}

/// Whether the result of this very call is there, of the same images and
/// weights.
bool is_there(const EvaluateJob& job, const Json& call) {
  const auto found = found_result(job);
  if (found.is_null() || !difference_text(found["call"], call).empty())
    return false;
  if (!job.report.empty() && !fs::exists(job.report / "result.json"))
    throw ConfigError(fmt::format(
        "{}: is complete, and what its --report would be made of is gone; "
        "remove it to measure again",
        job.out.string()));
  return true;
}

Json complete(const EvaluateJob& job) {
  return {{"out", job.out.string()}, {"already_complete", true}};
}

class Parts {
 public:
  Parts(const EvaluateJob& job, const BlockWork& work, const WorkPlan& plan)
      : job_(job),
        work_(work),
        parts_(parts_folder_of(job), plan, job.out),
        blocks_(parts_folder_of(job)) {}

  bool is_over() const { return parts_.is_over(); }
  std::vector<int64_t> missing() const { return parts_.missing(); }

  Json measure(const Part& part) {
    if (!part.variables.empty())
      note(fmt::format("measures part {} of {} ({}); --part 0/1 would do all",
                       part.index, part.count, part.variables));
    const auto share = parts_.plan().share_of(part.index);
    Progress progress("evaluate", share.size(), "blocks");
    int64_t num_measured = 0;
    if (!parts_.is_done(part.index))
      for (auto block = share.begin; block < share.end; ++block) {
        if (!blocks_.has(block)) {
          blocks_.write(block, work_.measure(block));
          ++num_measured;
        }
        progress.update(block + 1 - share.begin);
        throw_if_stopped();
      }
    if (share.size() > 0) parts_.mark_done(part.index);
    progress.finish();
    return {{"out", job_.out.string()},
            {"part", part.index},
            {"parts", part.count},
            {"blocks", share.size()},
            {"measured", num_measured}};
  }

  /// All parts are there.
  Json finish(const std::function<Json(const EvaluateJob&)>& evaluate) {
    expect_sound();
    auto job = job_;
    job.measured = &blocks_;
    auto result = evaluate(job);
    write_result(job, result);
    parts_.remove();
    return result;
  }

 private:
  void expect_sound() {
    blocks_.list();
    for (int64_t block = 0; block < work_.num_blocks; ++block) try {
        blocks_.read(block);
      } catch (const DataError& error) {
        const auto part = parts_.plan().part_of(block);
        parts_.forget(part);
        throw DataError(fmt::format("{}; part {} is to be measured again",
                                    error.what(), part));
      }
  }

  const EvaluateJob& job_;
  const BlockWork& work_;
  WorkParts parts_;
  MeasuredBlocks blocks_;
};

}  // namespace

Json evaluation_call(const EvaluateJob& job, const Json& subject) {
  const Json call{{"command", "evaluate"},
                  {"settings", evaluation_settings(job)},
                  {"precision", precision_name(current_precision())},
                  {"subject", subject}};
  return Json::parse(json_text(call));  // as a file has it
}

void expect_place_for_result(const EvaluateJob& job) {
  expect_apart(job.out,
               {path_of_source(job.data), path_of_source(job.reference)},
               {job.model, job.features});
  const auto found = found_result(job);
  const auto before = found.is_null() ? Json() : found["call"]["settings"];
  const auto now = Json::parse(json_text(evaluation_settings(job)));
  if (const auto difference = difference_text(before, now);
      !found.is_null() && !job.fresh && !difference.empty())
    throw ConfigError(fmt::format(
        "{}: is the result of another call ({}); choose another --out, or say "
        "--fresh",
        job.out.string(), difference));
  if (job.part || job.finishes) return;
  if (const auto plan = find_work_plan(parts_folder_of(job)))
    throw ConfigError(fmt::format(
        "{}: is measured in {} parts: --part I/{} does what is missing, "
        "--finish puts them together",
        job.out.string(), plan->parts, plan->parts));
}

void write_result(const EvaluateJob& job, const Json& result) {
  // Under a name of its own: two processes may write the same result at once.
  const auto file = job.out.string() + "." + unique_token();
  write_file_atomic(file, json_text(result) + "\n");
  fs::rename(file, job.out);
}

Json evaluate_in_parts(
    const EvaluateJob& job, const BlockWork& work,
    const std::function<Json(const EvaluateJob&)>& evaluate) {
  const auto found = find_work_plan(parts_folder_of(job));
  const auto call = evaluation_call(job, work.subject);
  if (!found && is_there(job, call)) return complete(job);
  if (!found && job.finishes)
    throw ConfigError(
        fmt::format("{}: is not measured in parts; --part I/N begins one",
                    job.out.string()));
  std::optional<Part> part;
  if (!job.finishes)
    part = part_of_work(*job.part, found ? found->parts : job.part->count,
                        found ? found->first : job.part->first, job.out);
  Parts parts(job, work,
              {.parts = part ? part->count : found->parts,
               .first = part ? part->first : found->first,
               .count = work.num_blocks,
               .call = call});
  try {
    Json result;
    if (part) result = parts.measure(*part);
    const auto missing = parts.missing();
    const auto first = part ? part->first : found->first;
    if (!missing.empty() && !part)
      throw ConfigError(missing_text(job.out, missing, found->parts, first));
    if (!missing.empty()) {
      result["missing"] = array_list(missing, first);
      return result;
    }
    return parts.finish(evaluate);
  } catch (const std::exception&) {
    // Another process did the same part, and was the last.
    if (!parts.is_over() || !is_there(job, call)) throw;
    return complete(job);
  }
}

}  // namespace calotype
