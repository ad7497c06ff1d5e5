#include "datasets/archive_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <iterator>

#include "core/cache_folder.h"
#include "core/error.h"
#include "core/note.h"
#include "images/png_recipe.h"
#include "tests/datasets/archive_sets.h"
#include "tests/datasets/small_images.h"
#include "tests/support/archives.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Classes in folders, an image beside them, and what is left out.
std::vector<File> clothes() {
  const auto overview = encode_png({1, 1, 1, {9}}, by_product_text("overview"));
  return {{"shirt/b.png", png(3)},
          {"shirt/a", png(2)},
          {"bag/1.png", png(1)},
          {"x.png", png(4)},
          {"bag/notes.md", "words"},
          {"bag/._1.png", "fork"},
          {"__MACOSX/1.png", "x"},
          {"all.png", {overview.begin(), overview.end()}}};
}

void expect_equal(const ImageSource& got, const ImageSource& expected) {
  EXPECT_EQ(names_of(got), names_of(expected));
  EXPECT_EQ(got.class_names(), expected.class_names());
  ASSERT_EQ(got.size(), expected.size());
  for (int64_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got.label(i), expected.label(i)) << i;
    EXPECT_EQ(got.load(i).image.pixels, expected.load(i).image.pixels) << i;
    EXPECT_EQ(got.load(i).hash, expected.load(i).hash) << i;
    EXPECT_EQ(got.load(i).file_bytes, expected.load(i).file_bytes) << i;
  }
  EXPECT_EQ(got.fingerprint(), expected.fingerprint());
}

TEST_F(Archives, AreTheFolderThatTheyWouldUnpackTo) {
  for (const auto& file : clothes())
    put(root / "folder" / file.name, bytes_from(file.content));
  const auto folder = open_source(root / "folder");
  EXPECT_THAT(names_of(*folder),
              ElementsAre("bag/1.png", "shirt/a", "shirt/b.png", "x.png"));
  const auto files = clothes();
  expect_equal(*open_source(write("a.tar", tar_of(files))), *folder);
  expect_equal(*open_source(write("a.zip", zip_of(files, false))), *folder);
  expect_equal(*open_source(write("b.zip", zip_of(files, true))), *folder);
  // Split over two, and in a list of both.
  const std::vector<File> first(files.begin(), files.begin() + 2),
      second(files.begin() + 2, files.end());
  write("p-0.tar", tar_of(first));
  write("p-1.tar", tar_of(second));
  expect_equal(*open_source(root / "p-{0..1}.tar"), *folder);
  expect_equal(*open_source(root / "p-*.tar"), *folder);
}

TEST_F(Archives, SayWhatIsLeftOut) {
  const auto path = write("a.tar", tar_of(clothes()));
  open_source(path);
  EXPECT_THAT(
      take_notes(),
      ElementsAre(path + ": 1 members are no images and left out: 1 .md",
                  path + ": 2 hidden members are left out",
                  path + ": 1 overviews that the program drew are left out"));
}

TEST_F(Archives, ClassesComeFromClassFiles) {
  const std::vector<File> files = {
      {"22.05.png", png(1)},  {"a/0001.png", png(2)}, {"a/0001.cls", "10\n"},
      {"a/0002.png", png(3)}, {"a/0002.cls", "9"},    {"a/0002.txt", "words"},
      {"b.seg.png", png(4)},  {"b.cls", "10"}};
  const auto path = write("a.tar", tar_of(files));
  const auto source = open_source(path);
  EXPECT_THAT(names_of(*source), ElementsAre("22.05.png", "a/0001.png",
                                             "a/0002.png", "b.seg.png"));
  EXPECT_THAT(source->class_names(), ElementsAre("9", "10"));
  EXPECT_EQ(source->label(0), -1);
  EXPECT_EQ(source->label(1), 1);
  EXPECT_EQ(source->label(2), 0);
  EXPECT_EQ(source->label(3), 1);
  EXPECT_THAT(
      take_notes(),
      ElementsAre(
          path + ": 2 classes come from .cls files; 1 of 4 images have none",
          path + ": 1 members are no images and left out: 1 .txt"));
  for (const auto& file : files)
    put(root / "folder" / file.name, bytes_from(file.content));
  expect_equal(*open_source(root / "folder"), *source);
}

TEST_F(Archives, ClassesComeFromJson) {
  const auto path = write(
      "a.tar",
      tar_of({{"1.png", png(1)},
              {"1.json", R"({"width": 1, "label": 3, "caption": "a cat"})"},
              {"2.png", png(2)},
              {"2.json", R"({"label": 0})"}}));
  const auto source = open_source(path);
  EXPECT_THAT(source->class_names(), ElementsAre("0", "3"));
  EXPECT_EQ(source->label(0), 1);
  EXPECT_THAT(
      take_notes(),
      ElementsAre(path + ": 2 classes come from \"label\" of .json files"));
}

TEST_F(Archives, ClassesComeFromATable) {
  const std::string table =
      R"({"labels": [["00000/1.png", 7], ["00000/2.png", 12]]})";
  const auto path = write("a.zip", zip_of({{"00000/1.png", png(1)},
                                           {"00000/2.png", png(2)},
                                           {"dataset.json", table}},
                                          false));
  const auto source = open_source(path);
  EXPECT_THAT(source->class_names(), ElementsAre("7", "12"));
  EXPECT_EQ(source->label(1), 1);
  const auto vectors = write(
      "b.zip", zip_of({{"1.png", png(1)},
                       {"dataset.json", R"({"labels": [["1.png", [1, 0]]]})"}},
                      false));
  EXPECT_THAT(config_error_of([&] { open_source(vectors); }),
              HasSubstr("a label that is no class"));
  EXPECT_THAT(refusal("c.zip", zip_of({{"1.png", png(1)},
                                       {"dataset.json", "{\"labels\": [1]}"}},
                                      false)),
              HasSubstr("expected [[\"image.png\", class], ...]"));
}

TEST_F(Archives, AFolderAroundAllIsSaidToBeOne) {
  open_source(write(
      "a.tar", tar_of({{"set/cat/1.png", png(1)}, {"set/dog/2.png", png(2)}})));
  EXPECT_THAT(take_notes(), ElementsAre(HasSubstr("tar -C set -cf NEW.tar .")));
}

TEST_F(Archives, ThatAreHostileAreRefused) {
  EXPECT_THAT(refusal("a.tar", tar_of({{"1.png", png(1)}, {"1.png", png(2)}})),
              HasSubstr("two members are called 1.png"));
  EXPECT_THAT(refusal("a.tar", tar_of({{"../1.png", png(1)}})),
              HasSubstr("leaves the archive"));
  EXPECT_THAT(refusal("a.tar", "no tar"), HasSubstr("called a tar, and"));
  EXPECT_THAT(refusal("a.zip", "no zip"), HasSubstr("called .zip, and no zip"));
  const auto tar = tar_of({{"1.png", png(1)}, {"2.png", png(2)}});
  EXPECT_THAT(refusal("a.tar", tar.substr(0, 1200)),
              HasSubstr("truncated tar"));
  EXPECT_THAT(refusal("a.zip", make_zip({{.name = "1.png",
                                          .content = "/etc/passwd",
                                          .mode = 0120777}})),
              HasSubstr("is a link or a device"));
  const auto encrypted = write(
      "e.zip", make_zip({{.name = "1.png", .content = png(1), .flags = 1}}));
  EXPECT_THAT(config_error_of([&] { open_source(encrypted); }),
              HasSubstr("1.png is encrypted"));
  const auto empty = write("n.tar", tar_of({{"a.txt", "words"}}));
  EXPECT_THAT(config_error_of([&] { open_source(empty); }),
              HasSubstr("no images found in the archive"));
}

TEST_F(Archives, ABadImageIsOneOfThem) {
  auto zip = zip_of({{"1.png", png(1)}, {"2.png", png(2)}}, false);
  zip[60] = char(zip[60] ^ 1);  // in the first image
  const auto source = open_source(write("a.zip", zip));
  EXPECT_THAT(message_of<DataError>([&] { source->load(0); }),
              HasSubstr("the CRC of 1.png is wrong"));
  EXPECT_EQ(source->load(1).image.pixels[0], 2);
  EXPECT_THAT(source->content_hashes({0, 1}),
              ElementsAre(0, source->load(1).hash));
}

TEST_F(Archives, AnEntryThatInflatesBeyondItsSizeIsBad) {
  const auto source = open_source(
      write("a.zip", make_zip({{.name = "1.jpg",
                                .content = std::string(1 << 20, 'x'),
                                .deflates = true,
                                .bytes = 100'000}})));
  EXPECT_THAT(message_of<DataError>([&] { source->load(0); }),
              HasSubstr("1.jpg: decompresses to more than 100000 bytes"));
}

TEST_F(Archives, WhatTheyHoldIsKeptInTheCacheFolderAlone) {
  const auto path = write("data/a.tar", tar_of(clothes()));
  settle(path);
  // A change of the times is itself one that may be in the same tick.
  struct stat status {};
  ::stat(path.c_str(), &status);
  while (std::time(nullptr) <= status.st_ctim.tv_sec + 2) ::usleep(50'000);
  const auto first = open_source(path);
  const auto kept = cache_folder() / "archives";
  ASSERT_TRUE(fs::is_directory(kept));
  const auto index = fs::directory_iterator(kept)->path();
  expect_equal(*open_source(path), *first);
  EXPECT_EQ(std::distance(fs::directory_iterator(root / "data"), {}), 1);

  write_file_atomic(index, "damaged");
  expect_equal(*open_source(path), *first);

  write("data/a.tar", tar_of({{"new.png", png(8)}}));
  EXPECT_THAT(names_of(*open_source(path)), ElementsAre("new.png"));
}

TEST_F(Archives, PartsWithTheSameNamesAreLedByThem) {
  write("p-0.tar", tar_of({{"1.png", png(1)}, {"1.cls", "2"}}));
  write("p-1.tar", tar_of({{"1.png", png(2)}, {"1.cls", "1"}}));
  const auto source = open_source(root / "p-{0..1}.tar");
  EXPECT_THAT(names_of(*source), ElementsAre("p-0/1.png", "p-1/1.png"));
  EXPECT_THAT(source->class_names(), ElementsAre("1", "2"));
  EXPECT_EQ(source->label(0), 1);
  EXPECT_EQ(source->load(1).image.pixels[0], 2);
  EXPECT_EQ(source->content_hashes({1, 0}),
            (std::vector{source->load(1).hash, source->load(0).hash}));
}

TEST_F(Archives, AMissingPartIsNamed) {
  write("p-0.tar", tar_of({{"1.png", png(1)}}));
  EXPECT_THAT(config_error_of([&] { open_source(root / "p-{0..2}.tar"); }),
              AllOf(HasSubstr("not there: "), HasSubstr("p-1.tar"),
                    HasSubstr("p-2.tar")));
  EXPECT_THAT(config_error_of([&] { open_source(root / "q-*.tar"); }),
              HasSubstr("no such folder or file"));
}

TEST_F(Archives, APartOfSeveralCanBeTaken) {
  write("p-0.tar", tar_of({{"1.png", png(1)}, {"2.png", png(2)}}));
  write("p-1.tar", tar_of({{"3.png", png(3)}}));
  EXPECT_THAT(names_of(*open_source((root / "p-*.tar[1:]").string())),
              ElementsAre("2.png", "3.png"));
}

}  // namespace
}  // namespace calotype
