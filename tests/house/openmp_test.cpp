#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// LibTorch's loops are serial in what is compiled without it, and nothing says
// so.
TEST(OpenMP, IsOnWhereverOurSourcesAreCompiled) {
  const fs::path build = std::getenv("CALOTYPE_BUILD_DIR");
  const auto commands =
      parse_json(read_text_file(build / "compile_commands.json"), "commands");
  std::vector<std::string> without;
  for (const auto& command : commands) {
    const auto file = command["file"].get<std::string>();
    const auto line = command["command"].get<std::string>() + " ";
    // Headers are only read there.
    if (file.find("/house/headers/") != std::string::npos) continue;
    if (line.find(" -fopenmp ") == std::string::npos) without.push_back(file);
  }
  EXPECT_GT(commands.size(), 50u);
  EXPECT_THAT(without, testing::IsEmpty());
}

}  // namespace
}  // namespace calotype
