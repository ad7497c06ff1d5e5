#include "training/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TEST(RunFolder, ForgetsWhatAResumedRunWritesAgain) {
  TempFolder folder;
  RunFolder run(folder.path(), {{"seed", 1}});
  for (int64_t step = 1; step <= 3; ++step) run.log({{"step", step}});
  std::ofstream(run.metrics_file(), std::ios::app)
      << "{\"step\": 4, \"lo";  // torn by a kill
  run.forget_metrics_after(2);
  run.log({{"step", 3}, {"again", true}});
  const auto lines = read_metrics(run.metrics_file());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines.back().contains("again"));
}

TEST(RunFolder, RefusesASecondWriterAndAnotherConfig) {
  TempFolder folder;
  {
    RunFolder run(folder.path(), {{"a", {{"b", 1}}}});
    EXPECT_THROW(RunFolder(folder.path(), {{"a", {{"b", 1}}}}), ConfigError);
  }
  EXPECT_NO_THROW(RunFolder(folder.path(), {{"a", {{"b", 1}}}}));
  EXPECT_THROW(RunFolder(folder.path(), {{"a", {{"b", 2}}}}), ConfigError);
  EXPECT_NO_THROW(
      RunFolder(folder.path(), {{"a", {{"b", 2}}}}, /*fresh=*/true));
}

TEST(RunFolder, FreshLeavesNothingOfTheEarlierRunAndAllElse) {
  TempFolder folder;
  {
    RunFolder run(folder.path(), {{"a", 1}});
    run.log({{"step", 1}});
    for (const auto& file :
         {folder / "loss_by_noise.svg", folder / "latent_space.json",
          folder / "diffusion_pytorch_model.safetensors", run.state_file(),
          run.sample_file(1), folder / "mine.json"})
      write_file_atomic(file, "{}");
  }
  const RunFolder run(folder.path(), {{"a", 2}}, /*fresh=*/true);
  std::set<std::string> left;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder.path()))
    if (entry.is_regular_file()) left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{".lock", "mine.json", "run.json"}));
}

TEST(RunFolder, FreshKeepsAModelThatIsNoRun) {
  TempFolder folder;
  for (const char* name :
       {"config.json", "diffusion_pytorch_model.safetensors"})
    write_file_atomic(folder / name, "{}");
  const RunFolder run(folder.path(), {{"a", 1}}, /*fresh=*/true);
  EXPECT_TRUE(std::filesystem::exists(folder / "config.json"));
  EXPECT_TRUE(
      std::filesystem::exists(folder / "diffusion_pytorch_model.safetensors"));
}

// A program that has learnt "new" since.
Json completed(const Json& stored) {
  Json whole{{"a", 1}, {"new", 7}};
  for (const auto& item : stored.items()) {
    if (!whole.contains(item.key())) throw ConfigError("unknown key");
    whole[item.key()] = item.value();
  }
  return whole;
}

std::string refusal(const TempFolder& folder, const Json& config) {
  try {
    RunFolder(folder.path(), config, false, completed);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(RunFolder, AKeyThatCameLaterIsAtItsDefault) {
  TempFolder folder;
  RunFolder(folder.path(), {{"a", 2}});
  EXPECT_EQ(refusal(folder, {{"a", 2}, {"new", 7}}), "");
  EXPECT_THAT(refusal(folder, {{"a", 2}, {"new", 5}}),
              HasSubstr("new: 7 before, 5 now"));
  EXPECT_THAT(refusal(folder, {{"a", 1}, {"new", 7}}),
              HasSubstr("a: 2 before, 1 now"));
}

TEST(RunFolder, AKeyThatIsNoLongerKnownIsToldAsSuch) {
  TempFolder folder;
  RunFolder(folder.path(), {{"a", 2}, {"gone", 1}});
  EXPECT_THAT(
      refusal(folder, {{"a", 2}, {"new", 7}}),
      HasSubstr("run.json: holds a config that this version does not know "
                "(unknown key)"));
}

TEST(RunFolder, NamesTheFirstDifference) {
  EXPECT_EQ(first_difference({{"a", {{"b", 1}}}}, {{"a", {{"b", 2}}}}),
            "a.b: 1 before, 2 now");
  EXPECT_EQ(first_difference({{"a", 1}}, {{"a", 1}}), "");
  EXPECT_EQ(first_difference({{"a", 1}, {"c", 3}}, {{"a", 1}}),
            "c: 3 before, nothing now");
}

}  // namespace
}  // namespace calotype
