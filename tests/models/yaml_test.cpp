#include "models/convert/yaml.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/message_of.h"

namespace calotype {
namespace {

std::string refusal(const std::string& text) {
  return message_of<DataError>([&] { parse_yaml(text, "a.yaml"); });
}

TEST(Yaml, GivesWhatConfigurationsHold) {
  EXPECT_EQ(parse_yaml("model:\n"
                       "  target: ldm.models.VQModel  # a comment\n"
                       "  rate: 4.5e-06\n"
                       "  start: 1e-4\n"
                       "  half: .5\n"
                       "  size: -12\n"
                       "  mult:\n  - 1\n  - 2\n"
                       "  flow: [1, two, {three: 3}]\n"
                       "  on: True\n  off: false\n"
                       "  none: null\n  empty:\n  name: None\n"
                       "  quoted: '12'\n  double: \"a\\tb\"\n",
                       "a.yaml"),
            Json({{"model",
                   {{"target", "ldm.models.VQModel"},
                    {"rate", 4.5e-06},
                    {"start", 1e-4},
                    {"half", 0.5},
                    {"size", -12},
                    {"mult", {1, 2}},
                    {"flow", {1, "two", {{"three", 3}}}},
                    {"on", true},
                    {"off", false},
                    {"none", nullptr},
                    {"empty", nullptr},
                    {"name", "None"},
                    {"quoted", "12"},
                    {"double", "a\tb"}}}}));
}

TEST(Yaml, RefusesWhatConfigurationsDoNotHold) {
  EXPECT_EQ(refusal("a: 1\na: 2\n"), "a.yaml: line 2: a stands twice");
  EXPECT_EQ(refusal("a:\n  - !!python/object:os.system x\n"),
            "a.yaml: line 2: a tag, tag:yaml.org,2002:python/object:os.system, "
            "which is not read");
  EXPECT_EQ(refusal("? [1, 2]\n: 3\n"),
            "a.yaml: line 1: a key that is no text");
  EXPECT_NE(refusal("a: [1, 2\n"), "nothing thrown");
}

TEST(Yaml, IsBoundedByWhatItBecomes) {
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i)
    laughs += fmt::format(
        "a{0}: &a{0} [{1}]\n", i,
        fmt::join(std::vector<std::string>(10, fmt::format("*a{}", i - 1)),
                  ", "));
  EXPECT_NE(refusal(laughs).find("more than 100000 values"), std::string::npos);
  EXPECT_NE(refusal(std::string(100, '[')), "nothing thrown");
  EXPECT_NE(refusal(std::string(200000, '[')), "nothing thrown");
  EXPECT_NE(refusal("a: &a [*a]\n"), "nothing thrown");
}

}  // namespace
}  // namespace calotype
