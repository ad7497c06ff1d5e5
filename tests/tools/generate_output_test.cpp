#include "tools/generate_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "core/files.h"
#include "datasets/image_source.h"
#include "images/image_io.h"
#include "models/codec.h"
#include "outputs/image_files.h"
#include "tests/tools/small_generator.h"

// Where drawn images go.
namespace calotype {
namespace {

using testing::HasSubstr;

TEST_F(Generate, AddsNothingToTheImagesOfAnotherCall) {
  generate(job());
  generate(job());  // goes on
  EXPECT_THAT(refusal([](auto& j) { j.seed = 1; }),
              HasSubstr("of another call (seed: 0 before, 1 now)"));
  EXPECT_THAT(refusal([](auto& j) { j.count = 2; }),
              HasSubstr("holds 4 files, such as "));
  EXPECT_THAT(refusal([](auto& j) { j.first = 4; }),
              HasSubstr("of another call"));
  EXPECT_EQ(open_source(out_.string())->size(), 4);
  picture("drawn/ring.png", 1, 2);
  EXPECT_THAT(refusal([](auto& j) { j.fresh = true; }),
              HasSubstr("holds 1 file, such as ring.png"));
  fs::remove(out_ / "ring.png");
  EXPECT_EQ(open_source(out_.string())->size(), 4);
}

TEST_F(Generate, GoesOnWithImagesAndLatentsWithoutDrawingAgain) {
  auto changed = job();
  changed.count = 200;
  changed.batch_size = 40;
  changed.steps = 1;
  generate(changed);
  const auto last = open_source(out_.string())->name(199);
  const auto before = read_file(out_ / last);
  fs::remove(grid_file(out_));
  generate(changed);
  EXPECT_TRUE(fs::exists(grid_file(out_)));
  EXPECT_EQ(read_file(out_ / last), before);
  changed.latents = true;
  changed.out = folder_ / "latents";
  generate(changed);
  EXPECT_TRUE(generate(changed)["already_complete"].get<bool>());
  changed.classes = "ring";
  EXPECT_THROW(generate(changed), ConfigError);
}

TEST_F(Generate, KeepsClassesOfAnyNameApart) {
  auto space = read_json_file(model_ / "latent_space.json");
  const std::vector<std::string> names = {"猫", "狗", "C++", "a/b",
                                          "..", "1",  "a,b", ""};
  for (size_t i = 0; i < names.size(); ++i) space["class_names"][i] = names[i];
  space["class_names"].erase(
      space["class_names"].begin() + int64_t(names.size()),
      space["class_names"].end());
  write_file_atomic(model_ / "latent_space.json", space.dump());
  auto changed = job();
  changed.count = int64_t(names.size());
  changed.steps = 1;
  generate(changed);
  const auto drawn = open_source(out_.string());
  EXPECT_EQ(drawn->size(), changed.count);
  EXPECT_THAT(drawn->class_names(), testing::UnorderedElementsAreArray(names));
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_THAT(
        entry.path().filename().string(),
        testing::AnyOf("codec", "store", "model", "drawn", "drawn.png"));
  changed.out = folder_ / "some";
  changed.classes = "a,b,1\n猫";
  changed.count = 3;
  generate(changed);
  EXPECT_THAT(open_source(changed.out.string())->class_names(),
              testing::UnorderedElementsAre("a,b", "1", "猫"));
}

TEST_F(Generate, NeverDrawsOverWhatItStartsFrom) {
  auto changed = job();
  changed.init_image = picture("drawn.png", 40, 200);  // the overview's place
  const auto before = read_file(changed.init_image);
  EXPECT_THROW(generate(changed), ConfigError);
  EXPECT_EQ(read_file(changed.init_image), before);
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Generate, LeavesNoPreviewBehind) {
  auto changed = job();
  changed.preview_every = 1;
  generate(changed);
  EXPECT_TRUE(fs::exists(grid_file(out_)));
  EXPECT_FALSE(fs::exists(preview_file(out_)));
}

TEST_F(Generate, ShowsLatentsOnTheirWayByTheMapOrTheDecoder) {
  const auto drawing = job();
  auto space = read_latent_space(model_ / "latent_space.json");
  ASSERT_EQ(space.preview_matrix.size(), 1u);
  std::vector<std::vector<uint8_t>> shown;
  for (const bool by_map : {true, false}) {
    if (!by_map) space.preview_matrix.clear();
    image_output({.job = drawing,
                  .space = space,
                  .recipe = Json::object(),
                  .codec = load_codec(codec_, at::kCPU)})
        ->preview(torch::ones({2, 4, 8, 8}));
    const auto file = preview_file(out_);
    const auto image = decode_image(read_file(file), file.string());
    EXPECT_EQ(image.height, 2 * 16);  // one row, each pixel drawn twice
    shown.push_back(image.pixels);
  }
  EXPECT_NE(shown[0], shown[1]);
}

}  // namespace
}  // namespace calotype
