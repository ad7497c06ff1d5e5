#include "training/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "nn/safetensors.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TEST(Checkpoint, ComesBackAsItWas) {
  TempFolder folder;
  const auto path = folder / "state.safetensors";
  write_checkpoint(path, {.step = 7,
                          .elapsed_s = 1.5,
                          .position = {.epoch = 2, .in_epoch = 9},
                          .tensors = {{"weights.a", torch::arange(3.f)}}});
  const auto read = read_checkpoint(path);
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.elapsed_s, 1.5);
  EXPECT_EQ(read.position, (DataPosition{.epoch = 2, .in_epoch = 9}));
  EXPECT_TRUE(read.pending_line.is_null());
  EXPECT_TRUE(torch::equal(read.tensors.at("weights.a"), torch::arange(3.f)));
}

TEST(Checkpoint, RemembersWhatWaits) {
  TempFolder folder;
  const auto path = folder / "state.safetensors";
  LoaderPosition in_epoch(40);
  in_epoch.waiting = {3, 17, 39};
  in_epoch.full_shapes = {{16, 18, 3}, {20, 20, 1}};
  const Json line{{"step", 7}, {"loss", 0.5}};
  write_checkpoint(path, {.step = 7,
                          .position = {.epoch = 1, .in_epoch = in_epoch},
                          .tensors = {{"weights.a", torch::zeros({2})}},
                          .pending_line = line});
  const auto read = read_checkpoint(path);
  EXPECT_EQ(read.position, (DataPosition{.epoch = 1, .in_epoch = in_epoch}));
  EXPECT_EQ(read.pending_line, line);
  EXPECT_EQ(read.tensors.size(), 1u);
}

/// The header of a checkpoint, as its file holds it.
std::string header_of(const std::filesystem::path& path) {
  return read_safetensors(path).metadata.at("calotype_checkpoint");
}

TEST(Checkpoint, IsOfVersion1WhereNothingWaits) {
  TempFolder folder;
  const auto path = folder / "state.safetensors";
  write_checkpoint(path, {.step = 7, .position = {.epoch = 2, .in_epoch = 9}});
  EXPECT_EQ(header_of(path), R"({"format_version":1,"step":7,"elapsed_s":0.0,)"
                             R"("position":{"epoch":2,"position":9}})");
  LoaderPosition in_epoch(9);
  in_epoch.waiting = {4};
  write_checkpoint(path, {.position = {.epoch = 2, .in_epoch = in_epoch}});
  EXPECT_THAT(header_of(path), HasSubstr(R"("format_version":2)"));
}

TEST(Checkpoint, OfANewerVersionIsRefusedByName) {
  TempFolder folder;
  const auto path = folder / "state.safetensors";
  write_safetensors(path,
                    {.metadata = {{"calotype_checkpoint",
                                   R"({"format_version":3,"and_more":1})"}}});
  try {
    read_checkpoint(path);
    FAIL() << "took a checkpoint of version 3";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("format_version 3 is newer than 2"));
  }
}

TEST(Checkpoint, RefusesWeightsThatAreNone) {
  TempFolder folder;
  write_safetensors(folder / "w.safetensors",
                    {.tensors = {{"a", torch::zeros({1})}}});
  EXPECT_THROW(read_checkpoint(folder / "w.safetensors"), DataError);
}

}  // namespace
}  // namespace calotype
