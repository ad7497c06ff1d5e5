#include "datasets/image_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "tests/datasets/small_images.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ImageFile, OneImageIsASource) {
  TempFolder root;
  put(root / "a.png", small_png(5));
  const auto source = open_source(root / "a.png");
  EXPECT_EQ(source->size(), 1);
  EXPECT_EQ(source->name(0), "a.png");
  EXPECT_EQ(source->label(0), -1);
  EXPECT_EQ(source->load(0).image.pixels[0], 5);
}

/// Three images of 2x1 pixels.
FileBytes idx_images() {
  return {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
}

FileBytes idx_labels(FileBytes labels) {
  return joined({{0, 0, 8, 1, 0, 0, 0, uint8_t(labels.size())}, labels});
}

TEST(Idx, ImagesFindTheLabelsBesideThem) {
  TempFolder root;
  put(root / "x-images-idx3-ubyte", idx_images());
  put(root / "x-labels-idx1-ubyte.gz", gzipped(idx_labels({2, 0, 1})));
  const auto source = open_source(root / "x-images-idx3-ubyte");
  ASSERT_EQ(source->size(), 3);
  const auto loaded = source->load(1);
  EXPECT_EQ(loaded.image.height, 1);
  EXPECT_EQ(loaded.image.width, 2);
  EXPECT_THAT(loaded.image.pixels, ElementsAre(3, 4));
  EXPECT_EQ(loaded.hash, xxh64(FileBytes{3, 4}));
  EXPECT_EQ(source->label(0), 2);
  EXPECT_EQ(source->name(2), "00002");
  EXPECT_THAT(source->class_names(), ElementsAre("0", "1", "2"));
}

TEST(Idx, GzippedAndAloneWorksToo) {
  TempFolder root;
  put(root / "pictures", gzipped(idx_images()));
  const auto source = open_source(root / "pictures");
  EXPECT_THAT(source->load(2).image.pixels, ElementsAre(5, 6));
  EXPECT_EQ(source->label(2), -1);
  EXPECT_THAT(source->class_names(), ElementsAre());
}

TEST(Idx, NoPrefixIsASet) {
  TempFolder root;
  for (const auto& file : {idx_images(), gzipped(idx_images())})
    for (size_t size = 8; size < file.size(); ++size) {
      put(root / "x", FileBytes(file.begin(), file.begin() + int64_t(size)));
      EXPECT_THROW(open_source(root / "x"), DataError) << size;
    }
}

TEST(Idx, BytesBeyondTheHeaderAreRefused) {
  TempFolder root;
  put(root / "x", joined({idx_images(), {0}}));
  EXPECT_THAT(data_error_of([&] { open_source(root / "x"); }),
              HasSubstr("more than the 6 values of its header"));
  // Ten megabytes of zeros behind a header that announces six values.
  put(root / "x", gzipped(joined({idx_images(), FileBytes(10'000'000)})));
  EXPECT_THAT(data_error_of([&] { open_source(root / "x"); }),
              HasSubstr("more than the 6 values of its header"));
}

TEST(Idx, HugeCountsAndOtherTypesAreRefused) {
  TempFolder root;
  auto file = idx_images();
  for (size_t i = 4; i < 16; ++i) file[i] = 0xff;
  put(root / "x", file);
  EXPECT_THAT(data_error_of([&] { open_source(root / "x"); }),
              HasSubstr("limit of 4 GiB"));
  file = idx_images();
  file[2] = 0x0d;
  put(root / "x", file);
  EXPECT_THAT(data_error_of([&] { open_source(root / "x"); }),
              HasSubstr("type 0x0d; expected unsigned bytes"));
  put(root / "x", idx_labels({1, 2}));
  EXPECT_THAT(data_error_of([&] { open_source(root / "x"); }),
              HasSubstr("3 dimensions"));
}

TEST(Idx, LabelsMustMatchTheImages) {
  TempFolder root;
  put(root / "x-images-idx3-ubyte", idx_images());
  put(root / "x-labels-idx1-ubyte", idx_labels({1, 2}));
  EXPECT_THAT(data_error_of([&] { open_source(root / "x-images-idx3-ubyte"); }),
              HasSubstr("expected 3 labels for 3 images"));
}

TEST(FashionMnist, IsFoundUnderTheNamedRoot) {
  TempFolder root;
  put(root / "fashion-mnist/train-images-idx3-ubyte.gz", gzipped(idx_images()));
  put(root / "fashion-mnist/train-labels-idx1-ubyte.gz",
      gzipped(idx_labels({9, 0, 1})));
  setenv("CALOTYPE_DATASETS", root.path().c_str(), 1);
  const auto source = open_source("fashion-mnist:train");
  unsetenv("CALOTYPE_DATASETS");
  EXPECT_EQ(source->size(), 3);
  EXPECT_EQ(source->spec(), "fashion-mnist:train");
  EXPECT_EQ(source->class_names()[size_t(source->label(0))], "Ankle boot");
  EXPECT_EQ(source->class_names()[0], "T-shirt/top");
  EXPECT_THAT(refusal_of("fashion-mnist:valid"),
              HasSubstr("expected fashion-mnist:train"));
}

TEST(FashionMnist, DebiansPackageHasTenThousandTestImages) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    EXPECT_THAT(refusal_of("fashion-mnist:test"),
                HasSubstr("apt install dataset-fashion-mnist"));
    return;
  }
  const auto source = open_source("fashion-mnist:test");
  EXPECT_EQ(source->size(), 10000);
  EXPECT_EQ(source->load(0).image.pixels.size(), 28u * 28u);
  EXPECT_EQ(source->label(0), 9);  // the first test image is an ankle boot
}

TEST(Slice, KeepsARangeOfASet) {
  const auto source = open_source("synthetic:10:8[2:5]");
  EXPECT_THAT(names_of(*source), ElementsAre("00002", "00003", "00004"));
  EXPECT_EQ(source->label(0), 2);
  EXPECT_EQ(source->load(0).hash, open_source("synthetic:10:8")->load(2).hash);
  EXPECT_EQ(source->spec(), "synthetic:10:8[2:5]");
  EXPECT_NE(source->fingerprint(),
            open_source("synthetic:10:8[2:6]")->fingerprint());
  EXPECT_EQ(open_source("synthetic:10:8[:3]")->size(), 3);
  EXPECT_EQ(open_source("synthetic:10:8[3:]")->size(), 7);
}

TEST(Slice, MustLieInsideTheSet) {
  EXPECT_EQ(
      refusal_of("synthetic:10:8[5:11]"),
      "synthetic:10:8[5:11]: expected 0 <= A < B <= 10 in [A:B], got [5:11]");
  EXPECT_THAT(refusal_of("synthetic:10:8[5:5]"),
              HasSubstr("expected 0 <= A < B"));
  EXPECT_THAT(refusal_of("nowhere[1:x]"),
              HasSubstr("nowhere[1:x]: no such folder"));
}

TEST(Slice, AFolderWithBracketsInItsNameIsAFolder) {
  TempFolder root;
  put(root / "set[0:1]/a.png", small_png());
  put(root / "set[0:1]/b.png", small_png());
  EXPECT_EQ(open_source(root / "set[0:1]")->size(), 2);
}

TEST(Synthetic, ImagesDependOnSeedAndIndexAlone) {
  const auto few = open_source("synthetic:8:24");
  const auto many = open_source("synthetic:100:24:3:0");
  for (int64_t i = 0; i < 8; ++i)
    EXPECT_EQ(few->load(i).hash, many->load(i).hash);
  EXPECT_NE(few->load(0).hash, few->load(6).hash);  // the same class
  EXPECT_NE(few->load(0).hash, open_source("synthetic:8:24:3:1")->load(0).hash);
}

TEST(Synthetic, ShapesAreClassesAndSizesAsAsked) {
  const auto source = open_source("synthetic:12:20:1");
  EXPECT_EQ(source->class_names().size(), 6u);
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(source->label(i), i % 6);
  const auto image = source->load(3).image;
  EXPECT_EQ(image.height, 20);
  EXPECT_EQ(image.channels, 1);
  EXPECT_EQ(image.pixels.size(), 400u);
}

TEST(Synthetic, EdgesAreSmooth) {
  // A circle on its background: three kinds of pixels, and the mixed ones are
  // few but there.
  const auto image = open_source("synthetic:1:64:1")->load(0).image;
  const auto [dark, light] = std::ranges::minmax(image.pixels);
  EXPECT_GT(light - dark, 40);
  int64_t steep = 0;
  for (int64_t i = 1; i < 64 * 64; ++i)
    steep += std::abs(image.pixels[size_t(i)] - image.pixels[size_t(i - 1)]) >
             (light - dark) * 9 / 10;
  EXPECT_LT(steep, 64);
}

TEST(Synthetic, WrongNumbersAreRefused) {
  EXPECT_THAT(refusal_of("synthetic:"), HasSubstr("expected synthetic:COUNT"));
  EXPECT_THAT(refusal_of("synthetic:8:8:3:1:1"),
              HasSubstr("expected synthetic:COUNT"));
  EXPECT_THAT(refusal_of("synthetic:0"), HasSubstr("count must be in"));
  EXPECT_THAT(refusal_of("synthetic:8:8:2"),
              HasSubstr("channels must be 1 or 3"));
}

TEST(ClassSubset, KeepsTheNamedClassesOrAllOthers) {
  TempFolder root;
  put(root / "cat/1.png", small_png(1));
  put(root / "dog/2.png", small_png(2));
  put(root / "emu/3.png", small_png(3));
  const auto spec = root.path().string();
  const auto some = open_source(spec + "[class=emu,cat]");
  EXPECT_THAT(names_of(*some), ElementsAre("cat/1.png", "emu/3.png"));
  EXPECT_THAT(some->class_names(), ElementsAre("cat", "dog", "emu"));
  EXPECT_EQ(some->label(1), 2);
  EXPECT_EQ(some->load(1).image.pixels[0], 3);
  const auto others = open_source(spec + "[class!=cat]");
  EXPECT_THAT(names_of(*others), ElementsAre("dog/2.png", "emu/3.png"));
  EXPECT_NE(some->fingerprint(), others->fingerprint());
  EXPECT_THAT(names_of(*open_source(spec + "[class!=cat][1:]")),
              ElementsAre("emu/3.png"));
}

TEST(ClassSubset, TakesNamesWithCommasAndBrackets) {
  TempFolder root;
  for (const char* folder : {"a,b", "a", "b", "x[1]", "y[class=a]", "p=q"})
    put(root / folder / "1.png", small_png());
  const auto spec = root.path().string();
  const auto names = [&](const std::string& suffix) {
    return names_of(*open_source(spec + suffix));
  };
  EXPECT_THAT(names("[class=a,b]"), ElementsAre("a,b/1.png"));
  EXPECT_THAT(names("[class=b,a]"), ElementsAre("a/1.png", "b/1.png"));
  EXPECT_THAT(names("[class=x[1],p=q]"),
              ElementsAre("p=q/1.png", "x[1]/1.png"));
  EXPECT_THAT(names("[class=y[class=a]]"), ElementsAre("y[class=a]/1.png"));
  EXPECT_THAT(names("[class!=a,b][0:1]"), ElementsAre("a/1.png"));
  EXPECT_EQ(path_of_source(spec + "[class!=a,b][0:1]"), root.path());
  EXPECT_EQ(path_of_source("synthetic:8"), "");
}

TEST(ClassSubset, RefusesUnknownNamesAndEmptySets) {
  TempFolder root;
  put(root / "cat/1.png", small_png());
  const auto spec = root.path().string();
  EXPECT_THAT(refusal_of(spec + "[class=teapot]"),
              HasSubstr("has no class \"teapot\"; it has cat"));
  EXPECT_THAT(refusal_of(spec + "[class!=cat]"), HasSubstr("no image is left"));
  EXPECT_THAT(refusal_of("synthetic:4[class=teapot]"), HasSubstr("teapot"));
}

}  // namespace
}  // namespace calotype
