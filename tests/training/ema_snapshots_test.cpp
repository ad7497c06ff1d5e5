#include "training/ema_snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "core/files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& snapshot : list_ema_snapshots(folder))
    names.push_back(snapshot.path.filename().string());
  return names;
}

TEST(EmaSnapshots, ComeBackAsTheyWere) {
  TempFolder folder;
  const auto weight = torch::randn({2, 3});
  write_ema_snapshot(folder.path(), {0.1, 20}, {{"net.weight", weight}});
  write_ema_snapshot(folder.path(), {0.05, 1000}, {{"net.weight", weight + 1}});
  EXPECT_THAT(
      names_in(folder.path()),
      ElementsAre("0.050-0001000.safetensors", "0.100-0000020.safetensors"));
  const auto found = list_ema_snapshots(folder.path());
  EXPECT_EQ(found[0].profile.length, 0.05);
  EXPECT_EQ(found[0].profile.step, 1000);
  EXPECT_TRUE(
      torch::equal(read_ema_snapshot(found[1]).at("net.weight"), weight));
  EXPECT_TRUE(list_ema_snapshots(folder / "none").empty());
}

TEST(EmaSnapshots, WhatAKillLeftIsNoneAndGoes) {
  TempFolder folder;
  for (const int64_t step : {5, 10, 15})
    write_ema_snapshot(folder.path(), {0.05, step}, {{"w", torch::ones({1})}});
  const auto torn = folder / "0.100-0000015.safetensors.tmp";
  const auto mine = folder / "notes.txt";
  write_file_atomic(torn, std::string_view("half"));
  write_file_atomic(mine, std::string_view("best so far"));
  EXPECT_EQ(list_ema_snapshots(folder.path()).size(), 3u);
  forget_ema_snapshots_after(folder.path(), 10);
  EXPECT_THAT(
      names_in(folder.path()),
      ElementsAre("0.050-0000005.safetensors", "0.050-0000010.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(torn));
  EXPECT_TRUE(std::filesystem::exists(mine));
}

TEST(EmaSnapshots, ARenamedOneIsRefused) {
  TempFolder folder;
  write_ema_snapshot(folder.path(), {0.05, 5}, {{"w", torch::ones({1})}});
  std::filesystem::rename(folder / "0.050-0000005.safetensors",
                          folder / "0.050-0000006.safetensors");
  try {
    read_ema_snapshot(list_ema_snapshots(folder.path()).front());
    FAIL() << "took it for another";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected the average 0.050-0000006, "
                                        "got \"0.050-0000005\""));
  }
}

TEST(EmaSnapshots, LengthsAreThousandthsEachOnce) {
  EXPECT_NO_THROW(check_lengths("training", {0.05, 0.1, 0.155}));
  EXPECT_THROW(check_lengths("training", {0.05, 0.05}), ConfigError);
  EXPECT_THROW(check_lengths("training", {0.0625}), ConfigError);
  EXPECT_THROW(check_lengths("training", {0.5}), ConfigError);
}

}  // namespace
}  // namespace calotype
