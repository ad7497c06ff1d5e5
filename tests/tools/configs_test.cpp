#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "core/note.h"
#include "core/progress.h"
#include "models/registry.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tools/named_configs.h"
#include "tools/prepare_training.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

void expect_parameters(const TrainJob& job) {
  const auto prepared = prepare_training(job);
  EXPECT_FALSE(prepared.setup.trainable->module().parameters().empty());
}

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
    if (!config.model.contains("_class_name") || config.distill) {
      config.data.train = "synthetic:4:64:3:1";
      const auto model = (fixtures_folder() / "autoencoder_kl").string();
      if (config.distill) config.distill->teacher = model;
      if (config.model.empty()) config.init = model;
      expect_parameters({.config = config, .out = folder / "run"});
      ++num_checked;
      continue;
    }
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
    expect_parameters({.config = config, .out = folder / "run"});
    ++num_checked;
  }
  EXPECT_GE(num_checked, 27);
}

TEST(Configs, AreKnownByNameAsTheyAreListed) {
  const auto root = fs::path(std::getenv("CALOTYPE_SOURCE_DIR")) / "configs";
  std::set<std::string> files, names;
  for (const auto& file : fs::directory_iterator(root))
    if (file.path().extension() == ".json") files.insert(file.path().stem());
  for (const auto& config : named_configs()) {
    names.insert(config.name);
    EXPECT_EQ(named_config(config.name),
              read_json_file(root / (std::string(config.name) + ".json")));
    EXPECT_NE(list_named_configs()[config.name], nullptr);
  }
  EXPECT_EQ(names, files);
}

TEST(Configs, ANameTakesDataSizeAndStepsFromTheCommandLine) {
  take_notes();
  const auto config = read_train_config(
      "photo64_vae", {"training.batch_size=2"},
      {.data = "a", .validation = "b", .size = 32, .steps = 7});
  EXPECT_EQ(config.data.train, "a");
  EXPECT_EQ(config.data.validation, "b");
  EXPECT_EQ(config.data.preprocessing.size, 32);
  EXPECT_EQ(config.model["sample_size"], 32);
  EXPECT_EQ(config.training.steps, 7);
  EXPECT_EQ(config.training.batch_size, 2);
  EXPECT_TRUE(take_notes().empty());
}

TEST(Configs, OtherDataAreNotValidatedOnTheirOwn) {
  take_notes();
  const auto config =
      read_train_config("fashion_vae", {}, {.data = "a", .caches = true});
  EXPECT_EQ(config.data.train, "cached:a");
  EXPECT_EQ(config.data.validation, "");
  EXPECT_THAT(take_notes(),
              testing::ElementsAre(testing::HasSubstr("validates on nothing")));
  EXPECT_EQ(read_train_config("fashion_vae", {}).data.validation,
            "fashion-mnist:test[0:1024]");
}

TEST(Configs, AnUnknownNameIsSaidToBeOne) {
  EXPECT_EQ(
      message_of<ConfigError>([] { read_train_config("photo63_vae", {}); }),
      "photo63_vae: no such file, and no configuration of that name; "
      "calotype train --list names them");
}

}  // namespace
}  // namespace calotype
