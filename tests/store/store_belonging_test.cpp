#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.h"
#include "core/files.h"
#include "store/hdf5.h"
#include "store/store_compatible.h"
#include "store/store_fingerprint.h"
#include "store/store_info.h"
#include "tests/store/store_samples.h"
#include "tests/support/codec_record.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;

class StoreBelonging : public testing::Test {
 protected:
  /// A store of `rows` that `change` made another one.
  StoreReader store(const std::string& name,
                    const std::function<void(StoreInfo&)>& change = {},
                    const StoreRows& rows = sample_rows(0, 6),
                    int64_t rows_per_shard = 4) {
    auto info = sample_info();
    if (change) change(info);
    StoreWriter writer(folder_ / name, info, rows_per_shard);
    writer.append(rows);
    writer.finish();
    return StoreReader(folder_ / name);
  }

  std::string refusal(const StoreReader& training, const StoreReader& other) {
    return message_of<ConfigError>([&] { expect_compatible(training, other); });
  }

  TempFolder folder_;
};

TEST_F(StoreBelonging, AFingerprintIsOfWhatATrainingSees) {
  const auto first = store_fingerprint(store("first"));
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(store_fingerprint(store("elsewhere",
                                    [](auto& info) {
                                      info.source["spec"] = "../images";
                                      set_key(info.codec, "path", "moved");
                                    })),
            first);
  EXPECT_NE(
      store_fingerprint(store(
          "codec", [](auto& info) { set_key(info.codec, "sha256", "other"); })),
      first);
  EXPECT_NE(store_fingerprint(store("classes",
                                    [](auto& info) {
                                      info.class_names = {"hat", "shirt"};
                                    })),
            first);
  EXPECT_NE(store_fingerprint(store("more", {}, sample_rows(0, 7))), first);
  auto rows = sample_rows(0, 6);
  rows.labels[2] = 0;
  EXPECT_NE(store_fingerprint(store("labels", {}, rows)), first);
  rows = sample_rows(0, 6);
  rows.grid.mean[5][1][1][2] += 1;
  EXPECT_NE(store_fingerprint(store("latents", {}, rows)), first);
}

TEST_F(StoreBelonging, StoresGoTogetherWhateverTheirTypesAndClasses) {
  const auto training = store("training");
  EXPECT_EQ(refusal(training, store("other",
                                    [](auto& info) {
                                      info.dtype = "bf16";
                                      info.class_names = {"shirt", "hat"};
                                      info.source["fingerprint"] = "x";
                                    })),
            "nothing thrown");
}

TEST_F(StoreBelonging, StoresThatDoNotGoTogetherAreNamed) {
  const auto training = store("training");
  const auto where = [&](const char* other) {
    return fmt::format("{}: does not go with {}: ", (folder_ / other).string(),
                       (folder_ / "training").string());
  };
  EXPECT_EQ(
      refusal(training, store(
                            "kind", [](auto& info) { info.kind = "latents"; },
                            sample_rows(0, 6, 2, "latents"))),
      where("kind") + "kind is latents, expected moments");
  EXPECT_EQ(refusal(training, store("codec",
                                    [](auto& info) {
                                      set_key(info.codec, "sha256",
                                              "0123456789abcdef");
                                    })),
            where("codec") +
                "the codec is AutoencoderKL 0123456789ab, expected "
                "AutoencoderKL c0dec");
  EXPECT_EQ(refusal(training, store("grid", {}, sample_rows(0, 6, 4))),
            where("grid") + "a grid is [2, 4, 3], expected [2, 2, 3]");
  EXPECT_EQ(refusal(training,
                    store("codes",
                          [](auto& i) { set_key(i.codec, "num_codes", 8); })),
            where("codes") + "num_codes is 8, expected 0");
}

TEST_F(StoreBelonging, RowsOfTwoMakersHaveNoDistances) {
  const auto a = store("a");
  const auto made_by = [&](const char* name, const Json& codec) {
    const auto b =
        store(name, [&](auto& info) { info.codec = CodecRecord(codec); });
    return message_of<ConfigError>([&] { expect_same_maker(a, b); });
  };
  EXPECT_EQ(made_by("same", {{"sha256", "c0dec"}}), "nothing thrown");
  EXPECT_EQ(made_by("unknown", Json::object()), "nothing thrown");
  EXPECT_EQ(
      made_by("other", {{"class", "VQModel"}, {"sha256", "abc"}}),
      fmt::format("{}: does not go with {}: its rows were made by VQModel "
                  "abc, those by AutoencoderKL c0dec",
                  (folder_ / "other").string(), (folder_ / "a").string()));
}

TEST_F(StoreBelonging, RowsThatCouldBeMistakenForPlacesAreRefused) {
  // A shard of two rows, as nobody writes it.
  struct Facts {
    int64_t label[2] = {0, 1}, index[2] = {0, 1};
    int32_t size[4] = {8, 8, 8, 8};
  };
  auto info = sample_info("fp32", "latents");
  info.grid_shapes = {{1, 1, 1}};
  info.count = 2;
  const auto refusal_of = [&](const Facts& facts) {
    const std::vector<uint8_t> zeros(64);
    const std::vector<Hdf5Array> arrays = {
        {"latents", Hdf5Type::kFloat32, 4, {2, 1, 1, 1}, zeros.data()},
        {"label", Hdf5Type::kInt64, 8, {2}, facts.label},
        {"name", Hdf5Type::kText, 4, {2}, zeros.data()},
        {"index", Hdf5Type::kInt64, 8, {2}, facts.index},
        {"size", Hdf5Type::kInt32, 4, {2, 2}, facts.size},
        {"source_hash", Hdf5Type::kUint64, 8, {2}, zeros.data()}};
    const std::vector<Hdf5Attribute> attributes = {
        {"format_version", int64_t{2}}, {"store", store_info_text(info)}};
    write_file_atomic(folder_ / "x.h5", make_hdf5(attributes, arrays).bytes);
    return message_of<DataError>([&] { StoreReader reader(folder_ / "x.h5"); });
  };
  EXPECT_EQ(refusal_of({}), "nothing thrown");
  EXPECT_THAT(refusal_of({.label = {0, 2}}),
              EndsWith("x.h5: row 1 has label 2 of 2 classes"));
  EXPECT_THAT(refusal_of({.label = {-2, 0}}),
              EndsWith("x.h5: row 0 has the label -2"));
  EXPECT_THAT(refusal_of({.index = {0, -1}}),
              EndsWith("x.h5: row 1 has the index -1"));
  EXPECT_THAT(refusal_of({.index = {5, 5}}),
              EndsWith("x.h5: two rows have index 5"));
  EXPECT_THAT(refusal_of({.size = {8, 8, 8, -3}}),
              EndsWith("x.h5: row 1 has the image size -3"));
}

TEST_F(StoreBelonging, ALabelOfNoClassIsNotWritten) {
  auto rows = sample_rows(0, 3);
  rows.labels[1] = 2;
  EXPECT_EQ(message_of<ConfigError>([&] { store("label", {}, rows); }),
            "latent store: image boot/1.png has label 2 of 2 classes");
}

TEST_F(StoreBelonging, ADoubledIndexIsRefusedWhenTheStoreIsOpened) {
  store("whole", {}, sample_rows(0, 4), 4);
  // The same rows as another shard, by another store of the same kind.
  store("again", {}, sample_rows(2, 4), 4);
  const auto whole = folder_ / "whole", again = folder_ / "again";
  fs::copy(again / "shard-00000.h5", whole / "shard-00001.h5");
  auto line = read_text_file(again / "shards.jsonl");
  line.replace(line.find("shard-00000"), 11, "shard-00001");
  write_file_atomic(whole / "shards.jsonl",
                    read_text_file(whole / "shards.jsonl") + line);
  auto info = read_json_file(whole / "store.json");
  info["count"] = 8;
  write_file_atomic(whole / "store.json", info.dump());
  EXPECT_THAT(message_of<DataError>([&] { StoreReader reader(whole); }),
              EndsWith("whole: two rows have index 2"));
}

}  // namespace
}  // namespace calotype
