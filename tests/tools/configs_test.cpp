#include <gtest/gtest.h>

#include "core/progress.h"
#include "models/registry.h"
#include "tests/support/temp_folder.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

// What the README tells people to type must not be refused for a key.
TEST(Configs, AreAllTakenByTrain) {
  set_quiet(true);
  const TempFolder folder;
  int num_checked = 0;
  const auto root = fs::path(std::getenv("CALOTYPE_SOURCE_DIR")) / "configs";
  for (const auto& file : fs::recursive_directory_iterator(root)) {
    if (file.path().extension() != ".json") continue;
    SCOPED_TRACE(file.path().string());
    auto config = read_train_config(file.path(), {});
    const auto& known = configured_class(config.model);
    if (known.fit) {
      auto keys = keys_of(config.model);
      known.fit(keys, {.grid_shape = {4, 7, 7}, .num_classes = 10});
      known.make(keys);
      ++num_checked;
      continue;
    }
    if (known.kind == ModelKind::kGenerator) continue;  // needs a store
    if (!config.data.train.starts_with("fashion-mnist:")) {
      config.data.train = "synthetic:4:64:3:1";  // not everyone has the images
      config.data.validation.clear();
    }
    const auto result =
        train({.config = config, .out = folder / "run", .dry_run = true});
    EXPECT_GT(result["parameters"].get<int64_t>(), 0);
    ++num_checked;
  }
  EXPECT_GE(num_checked, 22);
}

}  // namespace
}  // namespace calotype
