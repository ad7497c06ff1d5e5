#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/slices.h"

// A work on a numbered set that several processes share, none of which waits
// for another: job arrays on a shared file system. Each part of the work is a
// run of the index. Nothing is written twice, and no two processes write one
// file, so that a lock, which does nothing on many shared file systems, is not
// needed.
namespace calotype {

/// One of a number of processes that need not meet.
struct Part {
  int64_t index = 0;  // in [0, count)
  int64_t count = 1;
  int64_t first = 0;  // what the launcher calls part 0
  // Of a job array, of which some parts may be started again: what is counted
  // is the array that was started now.
  bool is_array = false;
  std::string variables;  // as Launch has them; empty: nobody's
};

/// Which part of a work that is `parts` parts, the first of which is called
/// `first`, a process that says `part` does: of a job array that starts some
/// again, the work knows how many there are. Throws ConfigError, naming
/// `where`, for one that it has not.
Part part_of_work(Part part, int64_t parts, int64_t first,
                  const std::filesystem::path& where);

/// "0,3-5", as job arrays are told of; counted from `first`.
std::string array_list(const std::vector<int64_t>& parts, int64_t first);

/// "3 of 8 parts are missing; start them again: --array=0,2-3", of `where`.
std::string missing_text(const std::filesystem::path& where,
                         const std::vector<int64_t>& missing, int64_t parts,
                         int64_t first);

/// How a work is cut.
struct WorkPlan {
  int64_t format_version = 1;
  int64_t parts = 1;     // N
  int64_t first = 0;     // what the launcher calls the first of them
  int64_t count = 0;     // of the set
  int64_t per_unit = 1;  // no part ends within so many, counted from 0
  Json call;             // what is done: command and settings

  Slice share_of(int64_t part) const;  // of the index
  int64_t part_of(int64_t index) const;
};

template <class Visitor>
void visit_fields(WorkPlan& c, Visitor&& visit) {
  visit("format_version", c.format_version);
  visit("parts", c.parts);
  visit("first", c.first);
  visit("count", c.count);
  visit("per_unit", c.per_unit);
  visit("call", c.call);
}

/// The plan of a work whose parts are in `folder`; nothing if there is none.
/// Throws DataError if it is damaged or of a newer version.
std::optional<WorkPlan> find_work_plan(const std::filesystem::path& folder);

/// What processes know of each other's parts: a folder with the plan and a file
/// for each part that is done.
class WorkParts {
 public:
  /// Goes on in `folder`, or begins: the first process writes the plan. Throws
  /// ConfigError, naming `where` and the difference, where the parts are of
  /// another work, or in another number.
  WorkParts(const std::filesystem::path& folder, const WorkPlan& plan,
            const std::filesystem::path& where);

  const WorkPlan& plan() const { return plan_; }
  const std::filesystem::path& folder() const { return folder_; }

  bool is_done(int64_t part) const;

  /// What the part leaves is on the disk.
  void mark_done(int64_t part);

  /// What the part has left is not what it should be: it is to be done again.
  void forget(int64_t part);

  /// Numbers of the parts that are not done.
  std::vector<int64_t> missing() const;

  /// Whether another process that did a part of this one's too, and was the
  /// last, has made the whole of them already.
  bool is_over() const;

  /// Removes the folder, once the whole is there.
  void remove();

 private:
  std::filesystem::path done_file(int64_t part) const;

  std::filesystem::path folder_;
  WorkPlan plan_;
};

}  // namespace calotype
