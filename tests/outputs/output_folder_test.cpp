#include "outputs/output_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_source.h"
#include "evaluation/evaluate.h"
#include "images/image_io.h"
#include "images/png_recipe.h"
#include "outputs/apart.h"
#include "outputs/image_files.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"
#include "tools/decode.h"
#include "tools/encode.h"
#include "tools/reconstruct.h"
#include "tools/walk.h"

// What commands may write to a folder, and over.
namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

void put_file(const fs::path& path, const std::vector<uint8_t>& bytes) {
  make_folder(path.parent_path());
  write_file_atomic(path, bytes);
}

std::vector<uint8_t> png(uint8_t value) {
  return encode_png({4, 4, 3, std::vector<uint8_t>(48, value)});
}

uint8_t value_of(const fs::path& file) {
  return decode_image(read_file(file), file.string()).pixels[0];
}

/// Pictures of one value each, and commands that give them back as they are.
class OutputFolders : public testing::Test {
 protected:
  void SetUp() override { set_quiet(true); }

  void encode_images() {
    encode({.codec = "pixels:3",
            .data = images_.string(),
            .out = store_,
            .dtype = "fp32"});
  }
  DecodeJob decoding() const {
    return {.codec = "pixels:3", .store = store_, .out = out_};
  }
  ReconstructJob reconstructing() const {
    return {.codec = "pixels:3", .data = images_.string(), .out = out_};
  }

  template <class Job>
  static std::string refusal(Json (*work)(const Job&), const Job& job) {
    return message_of<ConfigError>([&] { work(job); });
  }

  TempFolder folder_;
  fs::path images_ = folder_ / "images", store_ = folder_ / "store",
           out_ = folder_ / "out";
};

TEST_F(OutputFolders, WhatIsReadUnderANameComesBackUnderIt) {
  const std::map<std::string, std::string> files = {
      {"1.jpg", "1.jpg.png"},
      {"1.png", "1.png"},
      {"1.webp", "1.webp.png"},
      {"22.05", "22.05.png"},
      {"a,\"b\".png", "a,\"b\".png"},
      {"-x.png", "-x.png"},
      {"caf\xe9\n.png", "caf\xe9\n.png"},
      {"caf\\xE9.png", "caf\\xE9.png"},
      {"写/T.png", "写/T.png"},
      {"写/t.png", "写/t.png"},
      {std::string(251, 'n') + ".png", std::string(251, 'n') + ".png"}};
  uint8_t value = 0;
  for (const auto& [from, to] : files)
    put_file(images_ / from, png(value += 20));
  encode_images();
  EXPECT_EQ(decode(decoding())["images"], files.size());
  value = 0;
  for (const auto& [from, to] : files)
    EXPECT_EQ(value_of(out_ / to), value += 20) << from;
  // Those are pairs again.
  EvaluateJob pairs{
      .model = kPairs, .data = out_.string(), .reference = images_.string()};
  EXPECT_EQ(evaluate(pairs)["images_without_error"], files.size());
}

TEST_F(OutputFolders, TheSameCallGoesOnAndAnotherIsRefused) {
  for (const char* name : {"1.png", "2.png"}) put_file(images_ / name, png(9));
  encode_images();
  decode(decoding());
  fs::remove(out_ / "2.png");
  decode(decoding());
  EXPECT_EQ(value_of(out_ / "2.png"), 9);
  auto other = decoding();
  other.limit = 1;
  EXPECT_THAT(refusal(decode, other),
              HasSubstr("holds 2 files, such as 1.png, of another call; choose "
                        "an empty folder, or remove it with --fresh"));
  EXPECT_EQ(value_of(out_ / "2.png"), 9);
  other.fresh = true;
  decode(other);
  EXPECT_TRUE(fs::exists(out_ / "1.png"));
  EXPECT_FALSE(fs::exists(out_ / "2.png"));
  EXPECT_THAT(refusal(reconstruct, reconstructing()),
              HasSubstr("of another call"));
}

TEST_F(OutputFolders, AStrangersFileIsNeitherWrittenOverNorRemoved) {
  put_file(images_ / "1.png", png(9));
  encode_images();
  const auto mine = png(77);
  for (const char* name : {"1.png", "photo.png", "deep/without_ending"}) {
    fs::remove_all(out_);
    put_file(out_ / name, mine);
    for (const bool fresh : {false, true}) {
      auto job = decoding();
      job.fresh = fresh;
      EXPECT_THAT(refusal(decode, job),
                  HasSubstr(std::string("holds 1 file, such as ") + name +
                            ", which nothing proves to be of this program"));
      EXPECT_EQ(read_file(out_ / name), mine);
    }
  }
  // Not even where it took the place of one of ours.
  fs::remove_all(out_);
  decode(decoding());
  put_file(out_ / "1.png", mine);
  EXPECT_THAT(refusal(decode, decoding()), HasSubstr("such as 1.png"));
  auto fresh = decoding();
  fresh.fresh = true;
  EXPECT_THAT(refusal(decode, fresh), HasSubstr("such as 1.png"));
  EXPECT_EQ(read_file(out_ / "1.png"), mine);
}

TEST_F(OutputFolders, FreshLeavesWhatIsNoImage) {
  put_file(images_ / "1.png", png(9));
  encode_images();
  decode(decoding());
  write_file_atomic(out_ / "notes.txt", "mine");
  EXPECT_THAT(refusal(decode, decoding()), HasSubstr("such as notes.txt"));
  auto job = decoding();
  job.fresh = true;
  job.limit = 1;
  decode(job);
  EXPECT_EQ(value_of(out_ / "1.png"), 9);
  EXPECT_EQ(read_text_file(out_ / "notes.txt"), "mine");
}

TEST_F(OutputFolders, HiddenFilesAreNoOnesConcern) {
  put_file(images_ / "1.png", png(9));
  put_file(out_ / ".DS_Store", {1, 2, 3});
  encode_images();
  decode(decoding());
  EXPECT_EQ(value_of(out_ / "1.png"), 9);
  EXPECT_EQ(open_source(out_.string())->size(), 1);
}

TEST_F(OutputFolders, OfAnEarlierVersionAreKnownByTheirRecipes) {
  put_file(images_ / "1.png", png(9));
  encode_images();
  put_file(out_ / "1.png",
           encode_png({1, 1, 3, {1, 1, 1}}, {{"calotype", "{\"index\":0}"}}));
  EXPECT_THAT(refusal(decode, decoding()),
              HasSubstr("such as 1.png, of another call"));
  auto job = decoding();
  job.fresh = true;
  decode(job);
  EXPECT_EQ(value_of(out_ / "1.png"), 9);
}

TEST_F(OutputFolders, NothingIsWrittenOverWhatIsRead) {
  put_file(images_ / "1.png", png(9));
  encode_images();
  auto job = reconstructing();
  fs::create_directory_symlink(images_, folder_ / "link");
  for (const auto& out : {images_, images_ / ".", folder_ / "link"}) {
    job.out = out;
    EXPECT_THAT(refusal(reconstruct, job), HasSubstr("cannot be written over"));
  }
  job.out = images_ / "made";
  EXPECT_THAT(refusal(reconstruct, job), HasSubstr("lies inside of"));
  job.out = folder_.path();
  EXPECT_THAT(refusal(reconstruct, job), HasSubstr("lies around"));
  // The overview of "images" would be the input.
  put_file(folder_ / "one.png",
           encode_png({1, 1, 3, {5, 5, 5}}, recipe_text({})));
  job.data = (folder_ / "one.png").string();
  job.out = folder_ / "one";
  EXPECT_THAT(refusal(reconstruct, job), HasSubstr("one.png: cannot be written "
                                                   "over"));
  EXPECT_EQ(value_of(folder_ / "one.png"), 5);
  auto decoding_into_store = decoding();
  decoding_into_store.out = store_;
  EXPECT_THAT(refusal(decode, decoding_into_store),
              HasSubstr("cannot be written over"));
  EXPECT_THAT(refusal(encode, EncodeJob{.codec = "pixels:3",
                                        .data = images_.string(),
                                        .out = images_}),
              HasSubstr("cannot be written over"));
  EXPECT_EQ(value_of(images_ / "1.png"), 9);
}

TEST_F(OutputFolders, APictureOfSomebodyElseIsNotReplaced) {
  put_file(images_ / "1.png", png(9));
  put_file(images_ / "2.png", png(99));
  InterpolateJob job{.codec = "pixels:3",
                     .from = (images_ / "1.png").string(),
                     .to = (images_ / "2.png").string(),
                     .out = folder_ / "strip.png"};
  put_file(job.out, png(77));
  EXPECT_THAT(refusal(interpolate, job),
              HasSubstr("is no picture that this program wrote"));
  EXPECT_EQ(value_of(job.out), 77);
  // Nor is the overview's place.
  put_file(folder_ / "out.png", png(77));
  EXPECT_THAT(refusal(reconstruct, reconstructing()),
              HasSubstr("out.png: is there, and is no picture"));
  EXPECT_FALSE(fs::exists(out_));
  job.out = images_ / "1.png";
  EXPECT_THAT(refusal(interpolate, job), HasSubstr("cannot be written over"));
  // One of ours is, and is never part of a set.
  job.out = images_ / "strip.png";
  interpolate(job);
  interpolate(job);
  EXPECT_EQ(open_source(images_.string())->size(), 2);
}

TEST_F(OutputFolders, ASetHasNoImageMoreForWhatStandsBesideIt) {
  put_file(images_ / "cats" / "1.png", png(9));
  auto job = reconstructing();
  job.data = (images_ / "cats").string();
  job.out = images_ / "made";
  reconstruct(job);
  EXPECT_TRUE(fs::exists(images_ / "made.png"));
  const auto set = open_source(images_.string());
  EXPECT_THAT(names_of(*set), ElementsAre("cats/1.png", "made/1.png"));
  EXPECT_THAT(set->class_names(), ElementsAre("cats", "made"));
}

TEST_F(OutputFolders, AReportIsOfOneCall) {
  for (const char* name : {"1.png", "2.png"}) put_file(images_ / name, png(9));
  EvaluateJob job{.model = "pixels:3", .data = images_.string()};
  job.report = folder_ / "report";
  put_file(job.report / "images.csv", {'m', 'i', 'n', 'e'});
  EXPECT_THAT(refusal(evaluate, job), HasSubstr("such as images.csv"));
  fs::remove(job.report / "images.csv");
  put_file(job.report / "mine.txt", {'m', 'i', 'n', 'e'});
  evaluate(job);
  evaluate(job);
  EXPECT_TRUE(fs::exists(job.report / "mine.txt"));
  auto other = job;
  other.dtype = "fp32";
  EXPECT_THAT(refusal(evaluate, other),
              HasSubstr("settings.dtype: \"fp16\" before, \"fp32\" now"));
  other.fresh = true;
  evaluate(other);
  put_file(job.report / "index.html", {'m', 'i', 'n', 'e'});
  EXPECT_THAT(refusal(evaluate, other), HasSubstr("such as index.html"));
  EXPECT_EQ(read_text_file(job.report / "index.html"), "mine");
  // Its pictures are no set.
  EXPECT_THAT(message_of<ConfigError>([&] { open_source(job.report); }),
              HasSubstr("no images found"));
}

TEST_F(OutputFolders, AReportThatWasBrokenOffIsWrittenAnew) {
  const OutputPlan plan{.command = "test",
                        .settings = {{"a", 1}},
                        .makes = [](const std::string& f) { return f == "x"; }};
  OutputFolder(out_, plan).begin();
  put_file(out_ / "x", {1});  // and killed
  OutputFolder again(out_, plan);
  again.begin();
  EXPECT_FALSE(fs::exists(out_ / "x"));
  put_file(out_ / "x", {2});
  again.finish();
  put_file(out_ / "x", {3});  // by somebody else
  EXPECT_THAT(message_of<ConfigError>([&] { OutputFolder(out_, plan); }),
              HasSubstr("holds 1 file, such as x"));
}

TEST_F(OutputFolders, AStoreTakesAnEmptyFolderAlone) {
  put_file(images_ / "1.png", png(9));
  put_file(store_ / "photo.png", png(7));
  EXPECT_THAT(message_of<ConfigError>([&] { encode_images(); }),
              HasSubstr("holds 1 file, such as photo.png, and no store.json"));
}

TEST(Apart, KnowsAFileByItsHardLink) {
  const TempFolder folder;
  put_file(folder / "a.png", {1});
  fs::create_hard_link(folder / "a.png", folder / "b.png");
  EXPECT_THAT(message_of<ConfigError>([&] {
                expect_other_than(folder / "b.png", {folder / "a.png"});
              }),
              HasSubstr("cannot be written over"));
  expect_other_than(folder / "c.png", {folder / "a.png", ""});
}

TEST(Apart, ModelsMayHoldWhatIsMadeOfThem) {
  const TempFolder folder;
  make_folder(folder / "run");
  expect_apart(folder / "run/drawn", {}, {folder / "run"});
  EXPECT_THROW(expect_apart(folder / "run/drawn", {folder / "run"}),
               ConfigError);
  expect_apart(folder / "runs", {folder / "run"});  // no folder inside of it
}

}  // namespace
}  // namespace calotype
