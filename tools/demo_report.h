#pragma once

#include <filesystem>

#include "core/config.h"
#include "outputs/output_folder.h"
#include "tools/demo.h"

namespace calotype {

/// The folder of a demo, for the files that the demo itself writes there.
/// Throws ConfigError if one of them is there and is not this demo's.
OutputFolder demo_folder(const DemoJob& job);

/// Writes report/index.html and its pictures from what the demo left in
/// `folder` and measured in `results`.
void write_demo_report(const std::filesystem::path& folder,
                       const Json& results);

/// The same of token_demo.
void write_token_demo_report(const std::filesystem::path& folder,
                             const Json& results);

}  // namespace calotype
