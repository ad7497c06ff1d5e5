#include "core/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {

struct Lens {
  double focal_mm = 50;
  std::string mount = "screw";
};

template <class Visitor>
void visit_fields(Lens& c, Visitor&& visit) {
  visit("focal_mm", c.focal_mm);
  visit("mount", c.mount);
}

struct Camera {
  int64_t plates = 12;
  bool folding = false;
  Lens lens;
  std::optional<double> filter;
  std::vector<int64_t> stops = {8, 11};
  uint64_t seed = 0;
  int workers = 2;
};

template <class Visitor>
void visit_fields(Camera& c, Visitor&& visit) {
  visit("plates", c.plates);
  visit("folding", c.folding);
  visit("lens", c.lens);
  visit("filter", c.filter);
  visit("stops", c.stops);
  visit("seed", c.seed);
  visit("workers", c.workers);
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Camera camera_of(const char* text) {
  Camera camera;
  read_config(parse_json(text, "run.json"), camera, "run.json");
  return camera;
}

// Expects that `text` is refused with exactly this message.
void expect_refused(const char* text, const std::string& message) {
  EXPECT_THAT([&] { camera_of(text); }, ThrowsMessage<ConfigError>(message));
}

TEST(Config, MissingKeysKeepTheirDefaults) {
  const auto camera =
      camera_of(R"({"plates": 3, "lens": {"mount": "bayonet"}})");
  EXPECT_EQ(camera.plates, 3);
  EXPECT_EQ(camera.lens.mount, "bayonet");
  EXPECT_EQ(camera.lens.focal_mm, 50);
  EXPECT_THAT(camera.stops, ElementsAre(8, 11));
  EXPECT_FALSE(camera.filter);
}

TEST(Config, ReadsEveryKindOfField) {
  const auto camera = camera_of(
      R"({"folding": true, "filter": 1.5, "stops": [4], "lens": {"focal_mm": 35},
          "seed": 18446744073709551615})");
  EXPECT_TRUE(camera.folding);
  EXPECT_EQ(camera.filter, 1.5);
  EXPECT_THAT(camera.stops, ElementsAre(4));
  EXPECT_EQ(camera.lens.focal_mm, 35);  // a whole number is a number too
  EXPECT_EQ(camera.seed, UINT64_MAX);
}

TEST(Config, NullEmptiesAnOptionalField) {
  Camera camera;
  camera.filter = 2;
  read_config(parse_json(R"({"filter": null})", ""), camera, "");
  EXPECT_FALSE(camera.filter);
}

TEST(Config, UnknownKeySuggestsTheNearest) {
  expect_refused(R"({"plate": 3})",
                 R"(run.json: unknown key "plate"; did you mean "plates"?)");
  expect_refused(
      R"({"lens": {"focal": 3, "mout": "x"}})",
      R"(run.json: lens: unknown key "focal"; known are focal_mm, mount)");
}

TEST(Config, WrongTypeSaysExpectedAndGot) {
  expect_refused(R"({"plates": "three"})",
                 R"(run.json: plates: expected a whole number, got "three")");
  expect_refused(R"({"plates": 2.5})",
                 "run.json: plates: expected a whole number, got 2.5");
  expect_refused(R"({"folding": 1})",
                 "run.json: folding: expected true or false, got 1");
  expect_refused(R"({"lens": {"mount": 7}})",
                 "run.json: lens: mount: expected a text, got 7");
  expect_refused(R"({"lens": []})", "run.json: lens: expected {...}, got []");
  expect_refused(R"({"stops": 8})", "run.json: stops: expected a list, got 8");
  expect_refused(R"({"stops": [8, "11"]})",
                 R"(run.json: stops: expected a whole number, got "11")");
}

TEST(Config, NumbersThatTheFieldCannotHoldAreRefused) {
  expect_refused(R"({"workers": 5000000000})",
                 "run.json: workers: expected a whole number, got 5000000000");
  expect_refused(R"({"seed": -1})",
                 "run.json: seed: expected a whole number, got -1");
  expect_refused(
      R"({"plates": 18446744073709551615})",
      "run.json: plates: expected a whole number, got 18446744073709551615");
}

TEST(Config, WrittenWholeAndReadBackTheSame) {
  Camera camera;
  camera.plates = 7;
  camera.filter = 0.25;
  camera.lens.mount = "bayonet";
  const Json json = write_config(camera);
  EXPECT_EQ(
      json.dump(),
      R"({"plates":7,"folding":false,"lens":{"focal_mm":50.0,"mount":"bayonet"},)"
      R"("filter":0.25,"stops":[8,11],"seed":0,"workers":2})");
  Camera again;
  read_config(json, again, "run.json");
  EXPECT_EQ(write_config(again), json);
}

TEST(Config, TextThatIsNotJsonNamesTheLine) {
  EXPECT_THAT(
      [] { parse_json("{\n  \"a\": 1,\n  b\n}", "run.json"); },
      ThrowsMessage<DataError>("run.json: not JSON at line 3, column 3"));
  EXPECT_THAT(
      [] { parse_json(" \n", "run.json"); },
      ThrowsMessage<DataError>("run.json: expected JSON, got an empty file"));
}

TEST(Config, NumbersThatNoDoubleHoldsAreRefused) {
  EXPECT_THAT(
      [] { parse_json(R"({"plates": 1e999})", "run.json"); },
      ThrowsMessage<DataError>("run.json: number out of range: '1e999'"));
  expect_refused(R"({"plates": 18446744073709551616})",
                 "run.json: plates: expected a whole number, got "
                 "1.8446744073709552e+19");
}

TEST(Config, AKeyThatStandsTwiceIsRefused) {
  EXPECT_THAT([] { parse_json(R"({"a": {"b": 1, "b": 2}})", "run.json"); },
              ThrowsMessage<DataError>("run.json: key \"b\" stands twice"));
  EXPECT_NO_THROW(parse_json(R"([{"b": 1}, {"b": 2, "c": {"b": 3}}])", "x"));
}

TEST(Config, NestingWithoutEndIsRefused) {
  const std::string lists(1'000'000, '[');
  EXPECT_THAT(
      [&] { parse_json(lists, "run.json"); },
      ThrowsMessage<DataError>("run.json: nested more than 256 levels deep"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THROW(parse_json(objects, "run.json"), DataError);
  const std::string few(200, '['), ends(200, ']');
  EXPECT_NO_THROW(parse_json(few + ends, "run.json"));
}

TEST(Config, BytesThatAreNotUtf8AreReplacedWhereTheyAreWritten) {
  EXPECT_EQ(json_text(Json{{"path", "caf\xe9"}}),
            "{\"path\":\"caf\xef\xbf\xbd\"}");
  Lens lens{.mount = "caf\xe9"};
  const auto json = write_config(lens);
  EXPECT_EQ(parse_json(json.dump(), "x"), json);  // dump() throws on the bytes
}

TEST(Config, WhatIsNoJsonMayBeTakenAsAText) {
  EXPECT_EQ(json_or_text("[1, 2]"), Json({1, 2}));
  EXPECT_EQ(json_or_text("1e999"), "1e999");
  const std::string lists(100'000, '[');
  EXPECT_EQ(json_or_text(lists), lists);
}

TEST(Config, AMessageShowsTheBeginningOfALongValue) {
  const auto message = message_of<ConfigError>([] {
    Camera camera;
    read_config(Json{{"plates", std::string(1000, 'x')}}, camera, "run.json");
  });
  EXPECT_LT(message.size(), 300u);
  EXPECT_THAT(message, testing::EndsWith("xxx..."));
}

TEST(Config, AFileThatMustHoldAnObjectIsNamed) {
  const TempFolder folder;
  write_file_atomic(folder / "list.json", std::string_view("[1]"));
  EXPECT_THAT([&] { read_json_object(folder / "list.json"); },
              ThrowsMessage<DataError>(
                  HasSubstr("list.json: expected {...}, got [1]")));
}

TEST(Config, AFileIsNamedInMessages) {
  const TempFolder folder;
  EXPECT_THAT([&] { read_json_file(folder / "none.json"); },
              ThrowsMessage<ConfigError>(HasSubstr("none.json")));
  write_file_atomic(folder / "torn.json", std::string_view(R"({"plates": )"));
  EXPECT_THAT(
      [&] { read_json_file(folder / "torn.json"); },
      ThrowsMessage<DataError>(HasSubstr("torn.json: not JSON at line 1")));
}

}  // namespace
}  // namespace calotype
