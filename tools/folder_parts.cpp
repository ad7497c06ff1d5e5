#include "tools/folder_parts.h"

#include <fmt/format.h>

#include <exception>
#include <system_error>

#include "core/error.h"
#include "core/note.h"
#include "outputs/folder_files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// The first picture that is not there.
std::optional<int64_t> first_missing(const PictureWork& work) {
  for (int64_t picture = 0; picture < work.count; ++picture)
    if (!work.has(picture)) return picture;
  return {};
}

Json complete(const PictureWork& work, bool already) {
  Json result{{"folder", work.folder.string()}, {"images", work.count}};
  if (already) result["already_complete"] = true;
  return result;
}

/// All parts are there.
Json finish(const PictureWork& work, WorkParts& parts) {
  if (const auto picture = first_missing(work)) {
    const auto part = parts.plan().part_of(*picture);
    parts.forget(part);
    throw DataError(fmt::format(
        "{}: picture {} of {} is damaged or gone; part {} is to be done again",
        work.folder.string(), *picture, work.count, part));
  }
  work.finish();
  parts.remove();
  auto result = complete(work, false);
  result["parts"] = parts.plan().parts;
  return result;
}

Json do_part(const Part& part, const PictureWork& work, WorkParts& parts) {
  if (!part.variables.empty())
    note(fmt::format("{} part {} of {} ({}); --part 0/1 would do all",
                     work.makes, part.index, part.count, part.variables));
  const auto share = parts.plan().share_of(part.index);
  int64_t num_made = 0;
  if (share.size() > 0 && !parts.is_done(part.index)) {
    num_made = work.make(share);
    parts.mark_done(part.index);
  }
  Json result{{"folder", work.folder.string()},
              {"part", part.index},
              {"parts", part.count},
              {"images", share.size()},
              {"made", num_made}};
  if (const auto missing = parts.missing(); !missing.empty()) {
    result["missing"] = array_list(missing, parts.plan().first);
    return result;
  }
  result.update(finish(work, parts));
  return result;
}

}  // namespace

fs::path parts_folder(const fs::path& folder) {
  return folder / ".parts";
}

void expect_parts_fit(const fs::path& folder, bool in_parts, bool finishes,
                      bool fresh) {
  const auto plan = find_work_plan(parts_folder(folder));
  if (plan && !in_parts)
    throw ConfigError(fmt::format(
        "{}: is written in {} parts: --part I/{} does what is missing, "
        "--finish completes it",
        folder.string(), plan->parts, plan->parts));
  if (in_parts && fresh)
    throw ConfigError(fmt::format(
        "{}: --fresh would remove what other parts wrote; delete the folder "
        "before the first of them begins",
        folder.string()));
  if (finishes && !plan && visible_files(folder).empty())
    throw ConfigError(fmt::format(
        "{}: is not written in parts; --part I/N begins one", folder.string()));
}

Json work_in_parts(const std::optional<Part>& given, bool finishes,
                   const PictureWork& work) {
  const auto place = parts_folder(work.folder);
  const auto found = find_work_plan(place);
  if (!found && !first_missing(work)) {
    work.finish();
    // What one that came too late has left there is of no use.
    std::error_code ignored;
    fs::remove_all(place, ignored);
    return complete(work, /*already=*/true);
  }
  if (!found && finishes)
    throw ConfigError(
        fmt::format("{}: is not written in parts; --part I/N begins one",
                    work.folder.string()));
  WorkPlan plan{
      .count = work.count, .per_unit = work.per_unit, .call = work.call};
  std::optional<Part> part;
  if (!finishes)
    part = part_of_work(*given, found ? found->parts : given->count,
                        found ? found->first : given->first, work.folder);
  plan.parts = part ? part->count : found->parts;
  plan.first = part ? part->first : found->first;
  WorkParts parts(place, plan, work.folder);
  try {
    if (part) return do_part(*part, work, parts);
    if (const auto missing = parts.missing(); !missing.empty())
      throw ConfigError(
          missing_text(work.folder, missing, plan.parts, plan.first));
    return finish(work, parts);
  } catch (const std::exception&) {
    // Another process did the same part, and was the last.
    if (!parts.is_over() || first_missing(work)) throw;
    return complete(work, /*already=*/true);
  }
}

}  // namespace calotype
