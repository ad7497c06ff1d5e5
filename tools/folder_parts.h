#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

#include "core/config.h"
#include "core/slices.h"
#include "core/work_parts.h"

// Folders of pictures that several processes fill.
namespace calotype {

/// Where the parts of a folder of pictures know of each other: hidden inside of
/// it, until all are there.
std::filesystem::path parts_folder(const std::filesystem::path& folder);

/// Whether the job is one of several.
template <class Job>
bool is_in_parts(const Job& job) {
  return job.part.has_value() || job.finishes;
}

/// What a call makes: pictures that are numbered from 0.
struct PictureWork {
  std::filesystem::path folder;
  Json call;               // command and settings
  const char* makes = "";  // "draws"
  int64_t count = 0;       // of all pictures
  int64_t per_unit = 1;    // see WorkPlan
  std::function<int64_t(const Slice& pictures)>
      make;  // those that are not there; on the disk when it returns. Their
             // number
  std::function<bool(int64_t picture)> has;  // whether it is there
  std::function<void()> finish;              // once all are
};

/// Throws ConfigError, with nothing touched, for a call that is not one of
/// several on a folder that is written in parts; for one of several that would
/// remove what others wrote, and one that is to finish what nobody began.
void expect_parts_fit(const std::filesystem::path& folder, bool in_parts,
                      bool finishes, bool fresh);

/// Makes a part of the pictures, or completes the folder (`finishes`) of parts
/// that are all there; the last part does that too. Each picture is whole or
/// not there and is a function of the call, so that a part that was killed goes
/// on and two that do the same part do no harm. Returns what a command prints.
/// Throws ConfigError that lists what is missing, where the folder is to be
/// finished, and DataError for a part whose pictures are gone again.
Json work_in_parts(const std::optional<Part>& part, bool finishes,
                   const PictureWork& work);

}  // namespace calotype
