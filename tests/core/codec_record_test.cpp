#include "core/codec_record.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/message_of.h"

namespace calotype {
namespace {

CodecRecord record(const char* text) {
  CodecRecord record;
  read_config(Json::parse(text), record, "store.json: codec");
  return record;
}

TEST(CodecRecord, SaysWhatIsThere) {
  const auto vq = record(R"({"class": "VQModel", "sha256": "0123456789abcdef",
    "path": "runs/vq", "num_codes": 512, "codebooks": [1, 0]})");
  EXPECT_EQ(vq.class_name(), "VQModel");
  EXPECT_EQ(vq.sha256(), "0123456789abcdef");
  EXPECT_EQ(vq.path(), "runs/vq");
  EXPECT_EQ(vq.num_codes(), 512);
  EXPECT_EQ(vq.codebooks(2), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(vq.short_text(), "VQModel 0123456789ab");
}

TEST(CodecRecord, WhatIsMissingOrOfAnotherTypeIsNotSaid) {
  for (const auto* text :
       {"{}", R"({"class": 1, "sha256": null, "path": [], "num_codes": "9",
                  "codebooks": 3})"}) {
    const auto other = record(text);
    EXPECT_EQ(other.class_name(), "");
    EXPECT_EQ(other.sha256(), "");
    EXPECT_EQ(other.path(), "");
    EXPECT_EQ(other.num_codes(), 0);
    EXPECT_EQ(other.codebooks(3), (std::vector<int64_t>{0, 1, 2}));
    EXPECT_EQ(other.short_text(), "nothing known");
  }
  EXPECT_EQ(record(R"({"class": "pixels"})").short_text(), "pixels");
  EXPECT_EQ(record(R"({"sha256": "ab"})").short_text(), "codec ab");
  // A list of another length, or of books that there are not.
  EXPECT_EQ(record(R"({"codebooks": [0]})").codebooks(2),
            (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(record(R"({"codebooks": [1, 9]})").codebooks(2),
            (std::vector<int64_t>{1, 1}));
}

TEST(CodecRecord, KeepsKeysOfOthersInTheirOrder) {
  const auto text = R"({"network": "dino", "sha256": "ab", "class": "x"})";
  EXPECT_EQ(write_config(record(text)).dump(), Json::parse(text).dump());
}

TEST(CodecRecord, IsIdentifiedWithoutItsPlaceAndWhatFollowsFromItsWeights) {
  EXPECT_EQ(record(R"({"class": "a", "path": "b", "config": {"d": 1},
                       "num_codes": 2, "codebooks": [0]})")
                .identity(),
            Json::parse(R"({"class": "a", "config": {"d": 1}})"));
}

TEST(CodecRecord, IsAnObject) {
  EXPECT_EQ(message_of<ConfigError>([] { record("[1]"); }),
            "store.json: codec: expected {...}, got [1]");
}

}  // namespace
}  // namespace calotype
