#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.h"
#include "core/files.h"
#include "store/shard_list.h"
#include "store/store_info.h"
#include "tests/store/store_samples.h"
#include "tests/support/codec_record.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

/// A finished store of six rows in two shards.
void write_six(const std::filesystem::path& folder) {
  StoreWriter writer(folder, sample_info(), 4);
  append_missing(writer, 6);
  writer.finish();
}

TEST(StoreVersion, WhatIsWrittenIsOfVersion2) {
  const TempFolder folder;
  write_six(folder / "s");
  const auto info = read_json_file(folder / "s/store.json");
  EXPECT_EQ(info["format_version"], 2);
  EXPECT_EQ(info["precision"], "fp32");
  for (const char* key : {"scales", "part_plan", "tile_plan"})
    EXPECT_TRUE(info.at(key).is_null()) << key;
  EXPECT_EQ(info["columns"], Json::array());
  const auto list = read_shard_list(folder / "s");
  EXPECT_EQ(list.entries[0].rows_hash.size(), 16u);
  EXPECT_THAT(read_text_file(folder / "s/shards.jsonl"),
              HasSubstr("\"scales\":null,\"part\":null}\n"));
}

TEST(StoreVersion, WhatANewerStoreAsksForIsRefusedByName) {
  const TempFolder folder;
  write_six(folder / "s");
  const auto path = folder / "s/store.json";
  const auto whole = read_json_file(path);
  const auto refusal = [&](const char* key, const Json& value) {
    auto info = whole;
    info[key] = value;
    write_file_atomic(path, info.dump());
    return message_of<DataError>([&] { StoreReader reader(folder / "s"); });
  };
  EXPECT_THAT(refusal("precision", "fp8"),
              EndsWith("precision must be one of fp32, bf16, got fp8"));
  EXPECT_THAT(refusal("scales", {0.5}),
              EndsWith("asks for scales [0.5], which this calotype does not "
                       "know"));
  EXPECT_THAT(refusal("part_plan", {{"parts", 2}}), HasSubstr("part_plan"));
  EXPECT_THAT(refusal("tile_plan", {{"edge", 512}}), HasSubstr("tile_plan"));
  EXPECT_THAT(refusal("columns", {"score"}), HasSubstr("columns"));
  EXPECT_THAT(refusal("format_version", 3),
              EndsWith("format_version 3 is newer than 2, which this calotype "
                       "reads"));
  write_file_atomic(path, whole.dump());
  const auto list = folder / "s/shards.jsonl";
  auto text = read_text_file(list);
  text.replace(text.find("\"part\":null"), 11, "\"part\":1");
  write_file_atomic(list, text);
  EXPECT_THAT(message_of<DataError>([&] { StoreReader reader(folder / "s"); }),
              EndsWith("shards.jsonl: line 1: asks for a part, which this "
                       "calotype does not know"));
}

TEST(StoreVersion, AStoreOfVersion1KeepsItsKeysAndIsFinishedAsOne) {
  const TempFolder folder;
  auto old = sample_info();
  old.format_version = 1;
  make_folder(folder / "s");
  write_file_atomic(folder / "s/store.json", store_info_text(old));
  EXPECT_THAT(store_info_text(old), testing::Not(HasSubstr("precision")));
  write_six(folder / "s");
  const auto info = read_json_file(folder / "s/store.json");
  EXPECT_EQ(info["format_version"], 1);
  EXPECT_FALSE(info.contains("precision"));
  EXPECT_THAT(read_text_file(folder / "s/shards.jsonl"),
              testing::Not(HasSubstr("rows_hash")));
  const StoreReader reader(folder / "s");
  EXPECT_EQ(reader.size(), 6);
  EXPECT_TRUE(verify_store(folder / "s").problems.empty());

  auto with_new_key = info;
  with_new_key["precision"] = "fp32";
  write_file_atomic(folder / "s/store.json", with_new_key.dump());
  EXPECT_THAT(message_of<DataError>([&] { StoreReader again(folder / "s"); }),
              HasSubstr("precision"));
}

TEST(StoreVersion, ASettingThatWasNotKnownYetHadItsDefault) {
  auto stored = sample_info(), wanted = sample_info();
  // A key that is new stands there only where it is not its default.
  wanted.preprocessing["crop"] = "squash";
  EXPECT_EQ(first_difference(stored, wanted),
            "preprocessing.crop is missing in the store, \"squash\" now");
  wanted = sample_info();
  set_key(stored.codec, "config", {{"layers", 2}});
  set_key(wanted.codec, "config", {{"layers", 2}, {"learned_later", true}});
  EXPECT_EQ(first_difference(stored, wanted), "");
  set_key(wanted.codec, "config", {{"layers", 3}, {"learned_later", true}});
  EXPECT_EQ(first_difference(stored, wanted),
            "codec.config.layers is 2 in the store, 3 now");
}

}  // namespace
}  // namespace calotype
