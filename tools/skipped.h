#pragma once

#include <vector>

#include "core/config.h"
#include "datasets/loader.h"

namespace calotype {

/// Puts the list of skipped images into `result` ("skipped": name and reason),
/// which makes the program's exit code 3, and a line for each on stderr.
void report_skipped(Json& result, const std::vector<SkippedImage>& skipped);

}  // namespace calotype
