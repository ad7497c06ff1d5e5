#include "training/checkpoint.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "nn/safetensors.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

TEST(Checkpoint, ComesBackAsItWas) {
  TempFolder folder;
  const auto path = folder / "state.safetensors";
  write_checkpoint(path, {.step = 7,
                          .elapsed_s = 1.5,
                          .position = {.epoch = 2, .position = 9},
                          .tensors = {{"weights.a", torch::arange(3.f)}}});
  const auto read = read_checkpoint(path);
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.elapsed_s, 1.5);
  EXPECT_EQ(read.position.epoch, 2);
  EXPECT_EQ(read.position.position, 9);
  EXPECT_TRUE(torch::equal(read.tensors.at("weights.a"), torch::arange(3.f)));
}

TEST(Checkpoint, RefusesWeightsThatAreNone) {
  TempFolder folder;
  write_safetensors(folder / "w.safetensors",
                    {.tensors = {{"a", torch::zeros({1})}}});
  EXPECT_THROW(read_checkpoint(folder / "w.safetensors"), DataError);
}

}  // namespace
}  // namespace calotype
