#include "datasets/image_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "images/png_recipe.h"
#include "tests/datasets/small_images.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ImageFolder, FoldersAreClassesInSortedOrder) {
  TempFolder root;
  put(root / "cat-big/1.png", small_png(1));
  put(root / "cat/2.png", small_png(2));
  put(root / "cat/old/1.png", small_png(3));
  put(root / "dog/.hidden.png", small_png());
  put(root / ".git/x.png", small_png());
  put(root / "dog/notes.txt", bytes_of("words"));
  put(root / "dog/picture", small_png(4));  // told by its content
  const auto source = open_source(root.path());
  EXPECT_THAT(names_of(*source), ElementsAre("cat-big/1.png", "cat/2.png",
                                             "cat/old/1.png", "dog/picture"));
  EXPECT_THAT(source->class_names(), ElementsAre("cat", "cat-big", "dog"));
  EXPECT_EQ(source->label(0), 1);
  EXPECT_EQ(source->label(2), 0);
  EXPECT_EQ(source->label(3), 2);
  EXPECT_EQ(source->load(2).image.pixels[0], 3);
  EXPECT_EQ(source->load(2).hash, xxh64(small_png(3)));
  EXPECT_THAT(source->ignored_files(), ElementsAre("dog/notes.txt"));
  EXPECT_EQ(source->spec(), root.path().string());
}

TEST(ImageFolder, ImagesBesideTheFoldersHaveNoClassWhichIsTold) {
  TempFolder root;
  put(root / "a.png", small_png());
  put(root / "b/c.png", small_png());
  fs::create_directory(root / "empty");
  testing::internal::CaptureStderr();
  const auto source = open_source(root.path());
  open_source(root.path());
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            root.path().string() +
                ": 1 of the images lie beside the class folders and have no "
                "class: a.png\n" +
                root.path().string() +
                ": 1 of the sub-folders hold no image and are no class: "
                "empty\n");
  EXPECT_EQ(source->size(), 2);
  EXPECT_THAT(source->class_names(), ElementsAre("b"));
  EXPECT_EQ(source->label(0), -1);
  EXPECT_EQ(source->label(1), 0);
}

TEST(ImageFolder, ImagesAloneHaveNoClassesAndNothingIsTold) {
  TempFolder root;
  put(root / "a.png", small_png());
  fs::create_directory(root / "empty");
  testing::internal::CaptureStderr();
  const auto source = open_source(root.path());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(source->class_names(), ElementsAre());
}

TEST(ImageFolder, TellsOfClassesThatDifferInCaseAndOfLinkedOnes) {
  TempFolder root;
  put(root / "Cat/1.png", small_png());
  put(root / "cat/1.png", small_png());
  fs::create_directory_symlink(root / "cat", root / "kitten");
  testing::internal::CaptureStderr();
  const auto source = open_source(root.path());
  const auto told = testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, HasSubstr("like another but for small letters: cat"));
  EXPECT_THAT(told, HasSubstr("read already, and left out: kitten"));
  EXPECT_THAT(source->class_names(), ElementsAre("Cat", "cat"));
}

TEST(ImageFolder, ClassesAreWhatTheirFoldersStandFor) {
  TempFolder root;
  for (const char* folder : {"T-shirt%2Ftop", "100%25", "caf\xe9"})
    put(root / folder / "1.png", small_png());
  EXPECT_THAT(open_source(root.path())->class_names(),
              ElementsAre("100%25", "T-shirt/top", "caf\\xE9"));
}

TEST(ImageFolder, WhatCommandsWriteBesideASetIsNoneOfItsImages) {
  TempFolder root;
  put(root / "cat/1.png", small_png());
  put(root / "cat/drawn.png",
      encode_png({1, 1, 1, {7}}, recipe_text({{"seed", 1}})));
  put(root / "cat.png",
      encode_png({1, 1, 1, {7}}, by_product_text("overview")));
  put(root / "old.png",
      encode_png({1, 1, 1, {7}}, {{"calotype", "{\"samples\":[0,9]}"}}));
  put(root / "run/run.json", bytes_of("{\"config\":{}}"));
  put(root / "run/state/state.safetensors", bytes_of("x"));
  put(root / "run/samples/step.png", small_png());
  put(root / "__MACOSX/cat/1.png", small_png());
  put(root / "cat/.calotype.json", bytes_of("{}"));
  const auto source = open_source(root.path());
  EXPECT_THAT(names_of(*source), ElementsAre("cat/1.png", "cat/drawn.png"));
  EXPECT_THAT(source->class_names(), ElementsAre("cat"));
  EXPECT_THAT(source->ignored_files(),
              ElementsAre("__MACOSX/", "cat.png", "old.png", "run/"));
}

TEST(ImageFolder, BadFilesWithAnImagesNameStayAndSayWhy) {
  TempFolder root;
  put(root / "a.jpg", bytes_of("words"));
  put(root / "b.gif", bytes_of("GIF89a......"));
  fs::create_symlink(root / "nowhere", root / "c.png");
  const auto source = open_source(root.path());
  ASSERT_EQ(source->size(), 3);
  EXPECT_THAT(data_error_of([&] { source->load(0); }),
              HasSubstr("a.jpg: not an image"));
  EXPECT_THAT(data_error_of([&] { source->load(1); }),
              HasSubstr("b.gif: "));
  EXPECT_THAT(data_error_of([&] { source->load(2); }),
              HasSubstr("No such file"));
}

TEST(ImageFolder, OddNamesAreReadAndShownInUtf8) {
  TempFolder root;
  put(root / "a\xff\n.png", small_png(9));
  put(root / "é 写.png", small_png());
  const auto source = open_source(root.path());
  EXPECT_THAT(names_of(*source), ElementsAre("a\\xFF\\x0A.png", "é 写.png"));
  EXPECT_EQ(source->load(0).image.pixels[0], 9);
}

TEST(ImageFolder, LoopsAndPipesDoNotHang) {
  TempFolder root;
  put(root / "a/1.png", small_png());
  fs::create_directory_symlink(root.path(), root / "a/up");
  fs::create_directory_symlink(root / "a", root / "b");
  ASSERT_EQ(mkfifo((root / "a/pipe.png").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((root / "a/pipe").c_str(), 0600), 0);
  const auto source = open_source(root.path());
  EXPECT_THAT(names_of(*source), ElementsAre("a/1.png"));
  EXPECT_THAT(source->ignored_files(), ElementsAre("a/pipe", "a/pipe.png"));
}

TEST(ImageFolder, NothingToReadIsRefused) {
  TempFolder root;
  put(root / "notes.txt", bytes_of("words"));
  EXPECT_EQ(refusal_of(root.path()),
            root.path().string() + ": no images found (1 other files)");
  EXPECT_THAT(refusal_of(root / "missing"),
              HasSubstr("no such folder, file or data set"));
  EXPECT_THAT(refusal_of("/dev/null"),
              HasSubstr("neither a folder nor a file"));
}

}  // namespace
}  // namespace calotype
