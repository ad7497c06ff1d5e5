#include "training/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <set>

#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

TEST(RunFolder, ForgetsWhatAResumedRunWritesAgain) {
  TempFolder folder;
  RunFolder run(folder.path(), {{"seed", 1}});
  for (int64_t step = 1; step <= 3; ++step) run.log({{"step", step}});
  std::ofstream(run.metrics_file(), std::ios::app)
      << "{\"step\": 4, \"lo";  // torn by a kill
  run.forget_metrics_after(2);
  run.log({{"step", 3}, {"again", true}});
  const auto lines = read_metrics(run.metrics_file());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines.back().contains("again"));
}

TEST(RunFolder, RefusesASecondWriterAndAnotherConfig) {
  TempFolder folder;
  {
    RunFolder run(folder.path(), {{"a", {{"b", 1}}}});
    EXPECT_THROW(RunFolder(folder.path(), {{"a", {{"b", 1}}}}), ConfigError);
  }
  EXPECT_NO_THROW(RunFolder(folder.path(), {{"a", {{"b", 1}}}}));
  EXPECT_THROW(RunFolder(folder.path(), {{"a", {{"b", 2}}}}), ConfigError);
  EXPECT_NO_THROW(
      RunFolder(folder.path(), {{"a", {{"b", 2}}}}, /*fresh=*/true));
}

RunContents contents(std::vector<std::string> files,
                     const Json& data = Json::object()) {
  return {.data = data, .files = std::move(files)};
}

std::set<std::string> files_in(const std::filesystem::path& folder) {
  std::set<std::string> found;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) found.insert(entry.path().filename().string());
  return found;
}

TEST(RunFolder, FreshLeavesNothingOfTheEarlierRunAndAllElse) {
  TempFolder folder;
  {
    RunFolder run(folder.path(), {{"a", 1}}, false, nullptr,
                  contents({"latent_space.json", "token_space.json"}));
    run.log({{"step", 1}});
    make_folder(run.ema_folder());
    for (const auto& file :
         {folder / "loss_by_noise.svg", folder / "latent_space.json",
          folder / "token_space.json", run.state_file(), run.sample_file(1),
          run.ema_folder() / "0.050-0000001.safetensors", folder / "mine.json",
          folder / "class_names.json", folder / "samples" / "my cat.png"})
      write_file_atomic(file, "{}");
  }
  const RunFolder run(folder.path(), {{"a", 2}}, /*fresh=*/true);
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{".lock", "class_names.json", "mine.json",
                                   "my cat.png", "run.json"}));
  EXPECT_FALSE(std::filesystem::exists(folder / "ema"));
}

/// run.json as version 1 wrote it.
void make_old_run(const std::filesystem::path& folder, const Json& config) {
  RunFolder(folder, config);
  const Json run{{"format_version", 1}, {"version", "0.1"}, {"config", config}};
  write_file_atomic(folder / "run.json", std::string_view(run.dump()));
}

TEST(RunFolder, FreshLeavesNothingOfARunThatKeptNoListOfItsFiles) {
  TempFolder folder;
  make_old_run(folder.path(), {{"a", 1}});
  for (const char* name : {"token_space.json", "cas_data.json", "config.json",
                           "class_names.json", "mine.json"})
    write_file_atomic(folder / name, "{}");
  const RunFolder run(folder.path(), {{"a", 2}}, /*fresh=*/true);
  EXPECT_EQ(files_in(folder.path()),
            (std::set<std::string>{".lock", "mine.json", "run.json"}));
}

std::string refusal_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(RunFolder, FreshOverwritesNoFileOfAStranger) {
  TempFolder folder;
  RunFolder(folder.path(), {{"a", 1}}, false, nullptr,
            contents({"config.json"}));
  write_file_atomic(folder / "latent_space.json", "mine");
  EXPECT_THAT(refusal_of([&] {
                RunFolder(folder.path(), {{"a", 2}}, /*fresh=*/true, nullptr,
                          contents({"config.json", "latent_space.json"}));
              }),
              HasSubstr("latent_space.json is not of the run that --fresh "
                        "forgets"));
  EXPECT_EQ(read_text_file(folder / "latent_space.json"), "mine");
  EXPECT_TRUE(std::filesystem::exists(folder / "run.json"));
}

TEST(RunFolder, RefusesAFolderOfFilesThatAreNoRuns) {
  for (const bool fresh : {false, true}) {
    TempFolder folder;
    write_file_atomic(folder / "config.json", "mine");
    EXPECT_THAT(
        refusal_of([&] {
          RunFolder(folder.path(), {{"a", 1}}, fresh);
        }),
        HasSubstr("holds config.json, and no run; choose an empty folder"));
    EXPECT_EQ(files_in(folder.path()), (std::set<std::string>{"config.json"}));
  }
}

TEST(RunFolder, TakesAFolderThatIsEmptyOrWasHardlyBegun) {
  TempFolder folder;
  make_folder(folder / "samples");
  make_folder(folder / "state");
  write_file_atomic(folder / ".lock", "");
  write_file_atomic(folder / "cas_data.json", "{}");
  RunContents brought;
  brought.brought = {"cas_data.json"};
  EXPECT_NO_THROW(
      RunFolder(folder.path(), {{"a", 1}}, false, nullptr, brought));
}

Json data_of(const char* fingerprint, const char* kind = "contents") {
  return {{"data.train",
           {{"fingerprint", fingerprint}, {"fingerprint_kind", kind}}}};
}

TEST(RunFolder, RefusesOtherDataThanTheRunBeganWith) {
  TempFolder folder;
  const auto open = [&](const Json& data, bool fresh = false) {
    RunFolder(folder.path(), {{"a", 1}}, fresh, nullptr, contents({}, data));
  };
  open(data_of("aa"));
  EXPECT_NO_THROW(open(data_of("aa")));
  const auto refusal = refusal_of([&] { open(data_of("bb")); });
  EXPECT_THAT(refusal, HasSubstr("data.train has changed since the run began"));
  EXPECT_THAT(refusal, HasSubstr(R"("fingerprint":"aa")"));
  EXPECT_THAT(refusal, HasSubstr(R"("fingerprint":"bb")"));
  EXPECT_THAT(refusal, HasSubstr("--fresh to begin anew"));
  EXPECT_NO_THROW(open(data_of("bb"), /*fresh=*/true));
  EXPECT_NO_THROW(open(data_of("bb")));
}

TEST(RunFolder, NotesWhereDataCannotBeCompared) {
  TempFolder folder;
  make_old_run(folder.path(), {{"a", 1}});
  testing::internal::CaptureStderr();
  EXPECT_NO_THROW(RunFolder(folder.path(), {{"a", 1}}, false, nullptr,
                            contents({}, data_of("aa"))));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("kept no fingerprints"));

  TempFolder other;
  RunFolder(other.path(), {{"a", 1}}, false, nullptr,
            contents({}, data_of("aa", "times")));
  testing::internal::CaptureStderr();
  EXPECT_NO_THROW(RunFolder(other.path(), {{"a", 1}}, false, nullptr,
                            contents({}, data_of("bb", "contents"))));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("data.train has a fingerprint of another kind"));
}

TEST(RunFolder, OfANewerVersionOrAnotherPrecisionIsRefusedByName) {
  TempFolder folder;
  const auto refusal_with = [&](const char* key, const Json& value) {
    RunFolder(folder.path(), {{"a", 1}},
              std::filesystem::exists(folder / "run.json"));
    auto run = read_json_file(folder / "run.json");
    run[key] = value;
    write_file_atomic(folder / "run.json", std::string_view(run.dump()));
    return refusal_of([&] { RunFolder(folder.path(), {{"a", 1}}); });
  };
  EXPECT_THAT(refusal_with("format_version", 3),
              HasSubstr("format_version 3 is newer than 2"));
  EXPECT_THAT(refusal_with("precision", "fp8"),
              HasSubstr("asks for precision \"fp8\""));
}

// A program that has learnt "new" since.
Json completed(const Json& stored) {
  Json whole{{"a", 1}, {"new", 7}};
  for (const auto& item : stored.items()) {
    if (!whole.contains(item.key())) throw ConfigError("unknown key");
    whole[item.key()] = item.value();
  }
  return whole;
}

std::string refusal(const TempFolder& folder, const Json& config) {
  try {
    RunFolder(folder.path(), config, false, completed);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(RunFolder, AKeyThatCameLaterIsAtItsDefault) {
  TempFolder folder;
  RunFolder(folder.path(), {{"a", 2}});
  EXPECT_EQ(refusal(folder, {{"a", 2}, {"new", 7}}), "");
  EXPECT_THAT(refusal(folder, {{"a", 2}, {"new", 5}}),
              HasSubstr("new: 7 before, 5 now"));
  EXPECT_THAT(refusal(folder, {{"a", 1}, {"new", 7}}),
              HasSubstr("a: 2 before, 1 now"));
}

TEST(RunFolder, AKeyThatIsNoLongerKnownIsToldAsSuch) {
  TempFolder folder;
  RunFolder(folder.path(), {{"a", 2}, {"gone", 1}});
  EXPECT_THAT(
      refusal(folder, {{"a", 2}, {"new", 7}}),
      HasSubstr("run.json: holds a config that this version does not know "
                "(unknown key)"));
}

}  // namespace
}  // namespace calotype
