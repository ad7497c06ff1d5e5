#include "core/work_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "core/files.h"
#include "core/json_difference.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPlanVersion = 1;
constexpr const char* kPlanFile = "plan.json";

}  // namespace

Part part_of_work(Part part, int64_t parts, int64_t first,
                  const fs::path& where) {
  if (!part.is_array) return part;
  part.index += part.first - first;
  part.count = parts;
  part.first = first;
  if (part.index < 0 || part.index >= part.count)
    throw ConfigError(fmt::format("{}: {} is none of its {} parts, {} to {}",
                                  where.string(), part.variables, part.count,
                                  part.first, part.first + part.count - 1));
  return part;
}

std::string array_list(const std::vector<int64_t>& parts, int64_t first) {
  std::string text;
  for (size_t begin = 0, end = 0; begin < parts.size(); begin = end) {
    while (end < parts.size() &&
           parts[end] == parts[begin] + int64_t(end - begin))
      ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", parts[begin] + first);
    if (end > begin + 1) text += fmt::format("-{}", parts[end - 1] + first);
  }
  return text;
}

std::string missing_text(const fs::path& where,
                         const std::vector<int64_t>& missing, int64_t parts,
                         int64_t first) {
  return fmt::format(
      "{}: {} of {} parts are missing; start them again: --array={}",
      where.string(), missing.size(), parts, array_list(missing, first));
}

Slice WorkPlan::share_of(int64_t part) const {
  const auto units = slice_of((count + per_unit - 1) / per_unit, parts, part);
  return {std::min(count, units.begin * per_unit),
          std::min(count, units.end * per_unit)};
}

int64_t WorkPlan::part_of(int64_t index) const {
  int64_t part = 0;
  while (share_of(part).end <= index) ++part;
  return part;
}

std::optional<WorkPlan> find_work_plan(const fs::path& folder) {
  const auto file = folder / kPlanFile;
  if (!fs::exists(file)) return {};
  WorkPlan plan;
  try {
    const auto json = read_json_file(file);
    const auto version = json.value("format_version", int64_t{0});
    if (version > kPlanVersion)
      throw DataError(fmt::format(
          "{}: format_version {} is newer than {}, which this calotype reads",
          file.string(), version, kPlanVersion));
    read_config(json, plan, file.string());
  } catch (const ConfigError& error) {
    throw DataError(error.what());
  }
  if (plan.parts < 1 || plan.count < 0 || plan.per_unit < 1)
    throw DataError(file.string() + ": is no plan of parts");
  return plan;
}

WorkParts::WorkParts(const fs::path& folder, const WorkPlan& plan,
                     const fs::path& where)
    : folder_(folder), plan_(plan) {
  plan_.call = Json::parse(json_text(plan.call));  // as a file has it
  if (!find_work_plan(folder)) {
    make_folder(folder);
    write_file_once(folder / kPlanFile, json_text(write_config(plan_), 2));
  }
  const auto found = find_work_plan(folder);
  if (!found) return;  // all was done meanwhile: is_over()
  const auto before = write_config(*found);
  if (const auto difference = difference_text(found->call, plan_.call);
      !difference.empty())
    throw ConfigError(fmt::format(
        "{}: was begun by another call ({}); choose another place, or delete "
        "what is there to start anew",
        where.string(), difference));
  if (const auto difference = difference_text(before, write_config(plan_));
      !difference.empty())
    throw ConfigError(fmt::format(
        "{}: was begun in other parts ({}); say the same, or delete what is "
        "there to start anew",
        where.string(), difference));
}

fs::path WorkParts::done_file(int64_t part) const {
  return folder_ / fmt::format("part-{:05}.done", part);
}

bool WorkParts::is_done(int64_t part) const {
  return fs::exists(done_file(part));
}

void WorkParts::mark_done(int64_t part) {
  write_file_once(done_file(part), "");
}

void WorkParts::forget(int64_t part) {
  std::error_code ignored;  // another one does it too, perhaps
  fs::remove(done_file(part), ignored);
}

std::vector<int64_t> WorkParts::missing() const {
  std::vector<int64_t> parts;
  for (int64_t part = 0; part < plan_.parts; ++part)
    if (plan_.share_of(part).size() > 0 && !is_done(part))
      parts.push_back(part);
  return parts;
}

bool WorkParts::is_over() const {
  return !fs::exists(folder_ / kPlanFile);
}

void WorkParts::remove() {
  std::error_code ignored;  // another one does it too, perhaps
  // First of all: who finds no plan knows that all is done.
  fs::remove(folder_ / kPlanFile, ignored);
  fs::remove_all(folder_, ignored);
}

}  // namespace calotype
