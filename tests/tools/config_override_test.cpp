#include "tools/config_override.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

Json with(const char* config, const std::string& text) {
  auto json = Json::parse(config);
  override_key(json, text);
  return json;
}

std::string refusal(const char* config, const std::string& text) {
  return message_of<ConfigError>([&] { with(config, text); });
}

TEST(OverrideKey, ChangesOneKeyAndMakesThoseOnTheWay) {
  EXPECT_EQ(with(R"({"seed": 1, "data": {"train": "a"}})", "data.train=b=c"),
            Json::parse(R"({"seed": 1, "data": {"train": "b=c"}})"));
  EXPECT_EQ(with("{}", "training.steps=7"),
            Json::parse(R"({"training": {"steps": 7}})"));
  EXPECT_EQ(with(R"({"loss": null})", "loss.kl=[1, 2]"),
            Json::parse(R"({"loss": {"kl": [1, 2]}})"));
}

TEST(OverrideKey, TakesWhatIsNotJsonAsAText) {
  EXPECT_EQ(with("{}", "a=1e999")["a"], "1e999");
  EXPECT_EQ(with("{}", "a=")["a"], "");
  EXPECT_EQ(with("{}", "a=synthetic:4:32")["a"], "synthetic:4:32");
}

TEST(OverrideKey, RefusesAPathThroughAValue) {
  EXPECT_EQ(refusal(R"({"seed": 3})", "seed.x=1"),
            "--set seed.x=1: seed is 3, which has no keys");
  EXPECT_EQ(refusal(R"({"data": {"list": [1]}})", "data.list.0=1"),
            "--set data.list.0=1: data.list is [1], which has no keys");
  EXPECT_EQ(refusal("[1]", "a=1"),
            "--set a=1: the configuration is [1], which has no keys");
}

TEST(OverrideKey, RefusesATextOfAnotherForm) {
  for (const char* text : {"", "a", "=1", ".a=1", "a.=1", "a..b=1", "."})
    EXPECT_EQ(refusal("{}", text),
              std::string("--set: expected key.key=value, got ") + text);
}

}  // namespace
}  // namespace calotype
