#include "datasets/emoji.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <set>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "tests/images/image_files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;

Json one(const std::string& code, bool google = true) {
  return {{"unified", code},
          {"image", code + ".png"},
          {"category", "Flags"},
          {"has_img_google", google},
          {"has_img_twitter", true}};
}

/// A folder with a set of emoji in it, where data sets are looked for.
class EmojiFolder : public testing::Test {
 protected:
  void SetUp() override {
    setenv("CALOTYPE_DATASETS", root_.path().c_str(), 1);
    setenv("XDG_DATA_HOME", (root_ / "empty").c_str(), 1);  // not the user's
  }
  void TearDown() override {
    unsetenv("CALOTYPE_DATASETS");
    unsetenv("XDG_DATA_HOME");
  }

  void write(const Json& table) {
    const auto folder = root_ / "emoji" / "google";
    std::filesystem::create_directories(folder / "64");
    write_file_atomic(folder / "emoji.json", table.dump());
    for (const auto& base : table) {
      const std::string file = base["image"];
      write_file_atomic(folder / "64" / file, encode_png({1, 1, 1, {7}}));
    }
  }

  TempFolder root_;
};

std::set<std::string> names_of(const std::string& spec) {
  const auto source = open_source(spec);
  std::set<std::string> names;
  for (int64_t i = 0; i < source->size(); ++i) names.insert(source->name(i));
  return names;
}

TEST_F(EmojiFolder, HasClassesNamesAndImages) {
  auto face = one("1F600");
  face["category"] = "Smileys & Emotion";
  auto tone = one("1F3FB");
  tone["category"] = "Component";
  write({face, one("0023"), one("0024", false), tone});
  const auto source = open_source("emoji:google");
  ASSERT_EQ(source->size(), 3);
  EXPECT_EQ(source->name(0), "Smileys & Emotion/1F600.png");
  EXPECT_EQ(source->class_names()[size_t(source->label(0))],
            "Smileys & Emotion");
  EXPECT_EQ(source->class_names().size(), 9u);
  EXPECT_EQ(source->label(2), -1);
  EXPECT_EQ(source->load(0).image.pixels[0], 7);
}

TEST_F(EmojiFolder, TonesStayOnTheSideOfTheirEmoji) {
  Json table = Json::array();
  for (int i = 0; i < 200; ++i) {
    auto base = one(fmt::format("{:04X}", i));
    base["skin_variations"]["1F3FB"] = one(fmt::format("{:04X}-1F3FB", i));
    table.push_back(base);
  }
  write(table);
  const auto train = names_of("emoji:google:train");
  const auto test = names_of("emoji:google:test");
  EXPECT_EQ(train.size() + test.size(), 400u);
  EXPECT_GT(test.size(), 10u);
  EXPECT_LT(test.size(), 90u);
  for (const auto& name : test) {
    const auto base = name.substr(0, name.find_first_of("-."));
    EXPECT_TRUE(test.contains(base + ".png")) << name;
    EXPECT_FALSE(train.contains(base + "-1F3FB.png")) << name;
  }
}

TEST_F(EmojiFolder, RefusesATableThatIsDamaged) {
  write(Json::array({one("0023")}));
  auto away = one("0023");
  away["image"] = "../secret.png";
  write_file_atomic(root_ / "emoji" / "google" / "emoji.json",
                    Json::array({away}).dump());
  EXPECT_THROW(open_source("emoji:google"), DataError);
  write_file_atomic(root_ / "emoji" / "google" / "emoji.json", "[{}]");
  EXPECT_THROW(open_source("emoji:google"), DataError);
}

TEST_F(EmojiFolder, SaysHowToGetThem) {
  EXPECT_THAT(config_error_of([] { open_source("emoji:twitter"); }),
              HasSubstr("get it with: ./run data emoji"));
  EXPECT_THAT(config_error_of([] { open_source("emoji:apple"); }),
              HasSubstr("expected emoji:google or emoji:twitter"));
}

}  // namespace
}  // namespace calotype
