#include <gmock/gmock.h>

#include <filesystem>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "datasets/image_source.h"
#include "outputs/image_files.h"
#include "tests/support/message_of.h"
#include "tests/support/program.h"
#include "tests/tools/small_generator.h"
#include "tests/tools/training_runs.h"
#include "tools/decode.h"
#include "tools/folder_parts.h"

// Folders of pictures that several calls fill, each a part.
namespace calotype {
namespace {

using testing::HasSubstr;

using Files = std::map<std::string, std::string>;

/// All files below a folder, hidden ones too, and the overview beside it.
Files all_files(const fs::path& folder) {
  Files found;
  for (const auto& file : fs::recursive_directory_iterator(folder))
    if (file.is_regular_file())
      found[file.path().lexically_relative(folder)] =
          content(file.path().string());
  found["overview"] = content(grid_file(folder).string());
  return found;
}

template <class Job>
Json do_part(Job job, int64_t index, int64_t count) {
  job.part = Part{.index = index, .count = count};
  if constexpr (std::is_same_v<Job, GenerateJob>)
    return generate(job);
  else
    return decode(job);
}

template <class Job>
Json finish(Job job) {
  job.finishes = true;
  if constexpr (std::is_same_v<Job, GenerateJob>)
    return generate(job);
  else
    return decode(job);
}

/// Expects of any number of parts, done last to first, the files in `want`.
template <class Job>
void expect_files_of_one(const Job& job, const Files& want) {
  for (const int64_t count : {1, 2, 3, 7, 40}) {
    auto parts = job;
    parts.out += fmt::format("_{}", count);
    for (int64_t index = count - 1; index >= 0; --index)
      do_part(parts, index, count);
    EXPECT_EQ(all_files(parts.out) == want, true) << parts.out;
    EXPECT_TRUE(finish(parts)["already_complete"]);
    EXPECT_EQ(all_files(parts.out) == want, true) << parts.out;
  }
}

class DrawParts : public Generate {
 protected:
  GenerateJob drawing() const {
    auto drawn = job();
    drawn.count = 13;
    drawn.steps = 2;
    drawn.batch_size = 4;
    return drawn;
  }

  /// Below the folder.
  fs::path picture_of(int64_t sample) const {
    const auto classes = open_source(data_)->class_names();
    return fs::path(classes[size_t(sample) % classes.size()]) /
           fmt::format("{:05}.png", sample);
  }

  void expect_parts_of(const GenerateJob& job) {
    auto one = job;
    one.out += "_one";
    generate(one);
    const auto want = all_files(one.out);
    EXPECT_EQ(want.size(), 14U);
    expect_files_of_one(job, want);
  }
};

TEST_F(DrawParts, AreTheFolderOfOneProcess) {
  expect_parts_of(drawing());
}

TEST_F(DrawParts, AreTheFolderOfOneProcessWithSomeClassesAndGuidance) {
  auto job = drawing();
  job.classes = "ring,star";
  job.guidance = 3;
  job.first = 5;
  job.sampler = "ddpm";
  expect_parts_of(job);
}

TEST_F(DrawParts, AreTheFolderOfOneProcessOnTheWayBetweenSeeds) {
  auto job = drawing();
  job.to_seed = 7;
  expect_parts_of(job);
}

TEST_F(DrawParts, FinishNamesWhatIsMissing) {
  do_part(drawing(), 1, 5);
  const auto last = do_part(drawing(), 4, 5);
  EXPECT_EQ(last["missing"], "0,2-3");
  EXPECT_EQ(last["made"], 2);
  EXPECT_THAT(message_of<ConfigError>([&] { finish(drawing()); }),
              HasSubstr("drawn: 3 of 5 parts are missing; start them again: "
                        "--array=0,2-3"));
  EXPECT_FALSE(fs::exists(grid_file(out_)));
  for (const int64_t index : {0, 2}) do_part(drawing(), index, 5);
  EXPECT_EQ(do_part(drawing(), 3, 5)["parts"], 5);
  EXPECT_TRUE(fs::exists(grid_file(out_)));
  EXPECT_FALSE(fs::exists(parts_folder(out_)));
}

TEST_F(DrawParts, WhatAKillLeftIsNotDrawnAgain) {
  auto one = drawing();
  one.out = folder_ / "one";
  generate(one);
  do_part(drawing(), 0, 2);
  // As it is when the last batch and the note that all is there were not
  // written, and a picture only in part.
  const auto parts = parts_folder(out_);
  fs::remove(parts / "part-00000.done");
  write_file_atomic(parts / "0123456789abcdef.png", "torn");
  fs::remove(out_ / picture_of(6));
  const auto again = do_part(drawing(), 0, 2);
  EXPECT_EQ(again["made"], 3);  // the batch of 4 to 6
  EXPECT_EQ(again["missing"], "1");
  EXPECT_EQ(do_part(drawing(), 0, 2)["made"], 0);
  do_part(drawing(), 1, 2);
  EXPECT_EQ(all_files(out_) == all_files(one.out), true);
}

TEST_F(DrawParts, APartWhosePicturesAreGoneIsDoneAgain) {
  do_part(drawing(), 0, 2);
  fs::remove(out_ / picture_of(3));
  EXPECT_THAT(message_of<DataError>([&] { do_part(drawing(), 1, 2); }),
              HasSubstr("picture 3 of 13 is damaged or gone; part 0 is to be "
                        "done again"));
  EXPECT_THAT(message_of<ConfigError>([&] { finish(drawing()); }),
              HasSubstr("--array=0"));
  do_part(drawing(), 0, 2);
  EXPECT_FALSE(fs::exists(parts_folder(out_)));
}

TEST_F(DrawParts, OfOneThatIsDoneTwice) {
  auto one = drawing();
  one.out = folder_ / "one";
  generate(one);
  do_part(drawing(), 0, 2);
  do_part(drawing(), 0, 2);
  do_part(drawing(), 1, 2);
  EXPECT_TRUE(do_part(drawing(), 1, 2)["already_complete"]);
  EXPECT_TRUE(do_part(drawing(), 0, 2)["already_complete"]);
  EXPECT_EQ(all_files(out_) == all_files(one.out), true);
}

/// Several processes do the same part at once, one of which is killed.
TEST_F(DrawParts, OfProcessesThatMeet) {
  auto one = drawing();
  one.out = folder_ / "one";
  generate(one);
  const auto draw = [&](const std::string& part, const RunOptions& options) {
    return run_program(
        {"generate", model_.string(), "--out", out_.string(), "--count", "13",
         "--steps", "2", "--batch-size", "4", "--part", part, "--quiet"},
        options);
  };
  std::vector<std::future<Outcome>> outcomes;
  for (const char* part : {"0/2", "0/2", "1/2", "1/2"})
    outcomes.push_back(
        std::async(std::launch::async, draw, part, RunOptions{}));
  const auto killed = draw("1/2", {.kill_at = (out_ / picture_of(8)).string()});
  EXPECT_TRUE(killed.code == 128 + 9 || killed.code == 0) << killed.err;
  for (auto& outcome : outcomes) {
    const auto end = outcome.get();
    EXPECT_EQ(end.code, 0) << end.err;
  }
  EXPECT_EQ(draw("0/2", {}).code, 0);
  EXPECT_EQ(all_files(out_) == all_files(one.out), true);
}

TEST_F(DrawParts, RefuseOtherCallsAndNumbers) {
  do_part(drawing(), 0, 2);
  EXPECT_THAT(message_of<ConfigError>([&] { do_part(drawing(), 0, 3); }),
              HasSubstr("was begun in other parts (parts: 2 before, 3 now)"));
  auto other = drawing();
  other.seed = 1;
  EXPECT_THAT(message_of<ConfigError>([&] { do_part(other, 1, 2); }),
              HasSubstr("of another call (seed: 0 before, 1 now)"));
  EXPECT_THAT(
      message_of<ConfigError>([&] { generate(drawing()); }),
      HasSubstr("is written in 2 parts: --part I/2 does what is missing"));
  other = drawing();
  other.fresh = true;
  EXPECT_THAT(message_of<ConfigError>([&] { do_part(other, 1, 2); }),
              HasSubstr("--fresh would remove what other parts wrote"));
  other = drawing();
  other.latents = true;
  EXPECT_THAT(message_of<ConfigError>([&] { do_part(other, 1, 2); }),
              HasSubstr("--latents is drawn by one process"));
  other = drawing();
  other.out = folder_ / "none";
  EXPECT_THAT(message_of<ConfigError>([&] { finish(other); }),
              HasSubstr("is not written in parts"));
  EXPECT_FALSE(fs::exists(other.out));
}

/// Before the first picture nothing but the plan tells calls apart.
TEST_F(DrawParts, RefuseAnotherCallWhosePlanCameFirst) {
  auto job = drawing();
  do_part(job, 39, 40);  // nothing to do
  EXPECT_FALSE(fs::exists(out_ / picture_of(0)));
  job.seed = 1;
  EXPECT_THAT(message_of<ConfigError>([&] { do_part(job, 0, 40); }),
              HasSubstr("was begun by another call (settings.recipe.seed: 0 "
                        "before, 1 now)"));
}

TEST_F(DrawParts, OfAnArrayThatBeganAtOne) {
  const auto of_array = [&](int64_t id, int64_t first, int64_t count) {
    auto job = drawing();
    job.part = Part{.index = id - first,
                    .count = count,
                    .first = first,
                    .is_array = true,
                    .variables = fmt::format("SLURM_ARRAY_TASK_ID={}", id)};
    return generate(job);
  };
  of_array(1, 1, 3);
  EXPECT_THAT(message_of<ConfigError>([&] { finish(drawing()); }),
              HasSubstr("--array=2-3"));
  of_array(2, 2, 2);  // started again, two of them
  of_array(3, 2, 2);
  EXPECT_FALSE(fs::exists(parts_folder(out_)));
}

/// Stores of one size and of several.
class DecodeParts : public TrainingRuns {
 protected:
  void SetUp() override {
    TrainingRuns::SetUp();
    save_images("shapes", 26, {{16, 16}, {16, 24}, {24, 16}, {16, 16}});
    save_codec(at("codec"), 1);
    EncodeJob job;
    job.codec = at("codec");
    job.data = at("shapes").string();
    job.out = at("store");
    encode(job);
  }

  DecodeJob job() const {
    return {.codec = at("codec"),
            .store = at("store"),
            .out = at("pictures"),
            .batch_size = 4};
  }
};

TEST_F(DecodeParts, AreTheFolderOfOneProcess) {
  auto one = job();
  one.out = at("one");
  decode(one);
  const auto want = all_files(one.out);
  EXPECT_EQ(want.size(), 27U);
  expect_files_of_one(job(), want);
}

TEST_F(DecodeParts, OfTokensThatAGeneratorDrawsAreTheFolderOfOneProcess) {
  save_images("squares", 16, {{16, 16}});
  auto vq = vae();
  vq["_class_name"] = "VQModel";
  vq["latent_channels"] = 4;
  vq["num_vq_embeddings"] = 16;
  run(config(vq, "squares"), "vq");
  encode(
      {.codec = at("vq"), .data = at("squares").string(), .out = at("tokens")});
  run(config({{"_class_name", "CalotypeMaskedGenerator"},
              {"width", 24},
              {"num_layers", 2},
              {"num_attention_heads", 2}},
             "tokens"),
      "generator");
  GenerateJob one{
      .model = at("generator"), .out = at("one"), .count = 9, .steps = 3};
  auto parts = one;
  parts.out = at("drawn");
  generate(one);
  expect_files_of_one(parts, all_files(one.out));
}

TEST_F(DecodeParts, AreTheFolderOfOneProcessOfTheFirstImages) {
  auto one = job();
  one.out = at("one");
  one.limit = 15;
  decode(one);
  auto parts = job();
  parts.limit = 15;
  expect_files_of_one(parts, all_files(one.out));
}

TEST_F(DecodeParts, GoOnAndNameWhatIsMissing) {
  auto one = job();
  one.out = at("one");
  decode(one);
  EXPECT_EQ(do_part(job(), 1, 3)["missing"], "0,2");
  fs::remove(parts_folder(at("pictures")) / "part-00001.done");
  EXPECT_EQ(do_part(job(), 1, 3)["made"], 0);
  EXPECT_THAT(message_of<ConfigError>([&] { finish(job()); }),
              HasSubstr("2 of 3 parts are missing; start them again: "
                        "--array=0,2"));
  EXPECT_THAT(message_of<ConfigError>([&] { do_part(job(), 0, 2); }),
              HasSubstr("was begun in other parts (parts: 3 before, 2 now)"));
  do_part(job(), 0, 3);
  do_part(job(), 2, 3);
  EXPECT_EQ(all_files(at("pictures")) == all_files(at("one")), true);
}

}  // namespace
}  // namespace calotype
