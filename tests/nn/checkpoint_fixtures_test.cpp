#include <gtest/gtest.h>
#include <torch/utils.h>

#include <ostream>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "nn/checkpoint.h"
#include "tests/support/fixtures.h"

// Checkpoints of CALOTYPE_FIXTURES/checkpoints/hostile, each with what must
// happen (manifest.json) and what it holds (expected.safetensors). The
// repository has none: its own are in tests/fixtures/fuzz.
namespace calotype {
namespace {

namespace fs = std::filesystem;

fs::path hostile_folder() {
  return fixtures_folder() / "checkpoints" / "hostile";
}

struct HostileFile {
  std::string file, must;
  std::vector<std::string> tensors;

  friend void PrintTo(const HostileFile& file, std::ostream* out) {
    *out << file.file;
  }
};

std::vector<HostileFile> hostile_files() {
  std::vector<HostileFile> files;
  const auto manifest = hostile_folder() / "manifest.json";
  if (!fs::exists(manifest)) return files;
  const auto json = read_json_file(manifest);
  for (const auto& item : json.at("files"))
    files.push_back(
        {.file = item.at("file").get<std::string>(),
         .must = item.at("must").get<std::string>(),
         .tensors = item.value("tensors", std::vector<std::string>())});
  return files;
}

class HostileCheckpoints : public testing::TestWithParam<HostileFile> {};

TEST_P(HostileCheckpoints, AreReadExactlyOrRefused) {
  const auto& [file, must, names] = GetParam();
  static const auto expected =
      Checkpoint::open(hostile_folder() / "expected.safetensors");
  try {
    const auto checkpoint = Checkpoint::open(hostile_folder() / file);
    EXPECT_NE(must, "refuse");
    for (const auto& name : names) {
      const auto found = checkpoint.tensors().find(name);
      ASSERT_NE(found, checkpoint.tensors().end()) << name;
      const auto wanted =
          read_tensor(expected.tensors().at(file + "::" + name));
      const auto tensor = read_tensor(found->second);
      EXPECT_EQ(tensor.scalar_type(), wanted.scalar_type());
      EXPECT_TRUE(torch::equal(tensor, wanted)) << name;
    }
  } catch (const DataError& error) {
    EXPECT_NE(must, "read") << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(HostileCheckpoints);
INSTANTIATE_TEST_SUITE_P(Files, HostileCheckpoints,
                         testing::ValuesIn(hostile_files()));

}  // namespace
}  // namespace calotype
