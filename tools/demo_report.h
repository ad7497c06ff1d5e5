#pragma once

#include <filesystem>

#include "core/config.h"

namespace calotype {

/// Writes report/index.html and its pictures from what the demo left in
/// `folder` and measured in `results`.
void write_demo_report(const std::filesystem::path& folder,
                       const Json& results);

/// The same of token_demo.
void write_token_demo_report(const std::filesystem::path& folder,
                             const Json& results);

}  // namespace calotype
