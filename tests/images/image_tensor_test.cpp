#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/error.h"
#include "images/image_io.h"
#include "tests/images/image_files.h"

namespace calotype {
namespace {

using testing::ElementsAre;

TEST(ImageTensor, BytesSpanMinusOneToOne) {
  const auto tensor = to_tensor({1, 2, 3, {0, 51, 255, 255, 0, 102}});
  EXPECT_EQ(tensor.sizes(), (std::vector<int64_t>{3, 1, 2}));
  EXPECT_TRUE(torch::allclose(
      tensor, torch::tensor({{{-1.f, 1.f}}, {{-0.6f, -1.f}}, {{1.f, -0.2f}}})));
}

TEST(ImageTensor, EveryByteComesBack) {
  Image image{16, 16, 1, {}};
  for (int i = 0; i < 256; ++i) image.pixels.push_back(uint8_t(i));
  EXPECT_EQ(to_image(to_tensor(image)).pixels, image.pixels);
  const auto color = gradient(5, 4, 3);
  EXPECT_EQ(to_image(to_tensor(color)).pixels, color.pixels);
}

TEST(ImageTensor, WhatIsOutOfRangeIsClamped) {
  EXPECT_THAT(to_image(torch::tensor({{{-3.f, 3.f, NAN, 0.f}}})).pixels,
              ElementsAre(0, 255, 0, 128));
}

TEST(ImageTensor, OtherShapesAreRefused) {
  EXPECT_THROW(to_image(torch::zeros({2, 4, 4})), ShapeError);
  EXPECT_THROW(to_image(torch::zeros({4, 4})), ShapeError);
}

TEST(ImageGrid, TilesAreZoomedWithWhiteBetween) {
  const auto images = torch::tensor({-1.f, 0.2f, -0.6f}).view({3, 1, 1, 1});
  const auto grid = image_grid(images, 2, 2, 1);
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.height, 5);
  // clang-format off
  EXPECT_THAT(grid.pixels, ElementsAre(0, 0, 255, 153, 153,
                                       0, 0, 255, 153, 153,
                                       255, 255, 255, 255, 255,
                                       51, 51, 255, 255, 255,
                                       51, 51, 255, 255, 255));
  // clang-format on
}

TEST(ImageGrid, FewImagesMakeANarrowGrid) {
  EXPECT_EQ(image_grid(torch::zeros({2, 3, 4, 4}), 8).width, 4 + 2 + 4);
  EXPECT_THROW(image_grid(torch::zeros({0, 3, 4, 4}), 8), ConfigError);
}

}  // namespace
}  // namespace calotype
