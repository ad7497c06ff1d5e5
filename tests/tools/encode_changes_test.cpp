#include <gmock/gmock.h>
#include <torch/utils.h>

#include <map>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "images/image_io.h"
#include "nn/model_folder.h"
#include "store/latent_store.h"
#include "store/store_replacing.h"
#include "tests/support/message_of.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/stores.h"
#include "tools/encode.h"
#include "vae/autoencoder_kl.h"
#include "vqvae/vq_model.h"

// A folder that grew or changed since it was encoded.
namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;

/// Noise that `seed` alone decides.
void put(const fs::path& path, uint64_t seed, int64_t height = 8,
         int64_t width = 8) {
  fs::create_directories(path.parent_path());
  Image image{height, width, 1, {}};
  for (int64_t i = 0; i < height * width; ++i)
    image.pixels.push_back(uint8_t((seed * 7919 + uint64_t(i) * 104729) >> 3));
  write_file_atomic(path, encode_png(image));
}

class EncodeChanges : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    for (uint64_t i = 0; i < 9; ++i)
      put(images_ / fmt::format("{}/{}.png", i % 2 ? "shirt" : "boot", i), i);
  }

  EncodeJob job(const fs::path& out) const {
    return {.codec = codec_,
            .data = images_.string(),
            .out = out,
            .kind = kind_,
            .packing = packing_,
            .flips = flips_,
            .batch_size = batch_size_,
            .rows_per_shard = 4};
  }

  /// Encodes into the store that is there, which must then be, byte for byte,
  /// what a fresh encode writes.
  Json encode_again() {
    const auto result = encode(job(store_));
    fs::remove_all(folder_ / "fresh");
    encode(job(folder_ / "fresh"));
    EXPECT_EQ(files_of(store_), files_of(folder_ / "fresh"));
    EXPECT_FALSE(fs::exists(successor_of(store_)));
    return result;
  }

  /// copied, encoded, removed.
  std::vector<int64_t> counts(const Json& result) {
    return {result.value("copied", int64_t{-1}),
            result.value("encoded", int64_t{-1}),
            result.value("removed", int64_t{-1})};
  }

  void change() {
    put(images_ / "boot/0.png", 100);             // other content
    put(images_ / "boot/7.png", 101);             // new, between others
    put(images_ / "apron/1.png", 102);            // a new class, the first
    fs::remove(images_ / "shirt/3.png");          // gone
    fs::last_write_time(images_ / "shirt/5.png",  // touched
                        fs::file_time_type::clock::now());
  }

  template <class Model, class Config>
  void save_codec(const Config& config) {
    torch::manual_seed(1);
    Model model(config);
    codec_ = folder_ / "codec";
    save_model_folder(codec_, Model::ContainedType::kClassName,
                      write_config(model->config()), weights_of(*model));
  }

  void save_vae() {
    save_codec<AutoencoderKL>(AutoencoderKLConfig{
        .in_channels = 1,
        .out_channels = 1,
        .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
        .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
        .block_out_channels = {8, 8},
        .latent_channels = 3,
        .norm_num_groups = 4});
  }

  TempFolder folder_;
  fs::path images_ = folder_ / "images", store_ = folder_ / "store",
           codec_ = "pixels:1";
  std::string kind_ = "auto", packing_ = "none";
  bool flips_ = false;
  int64_t batch_size_ = 4;
};

TEST_F(EncodeChanges, TouchedAndCopiedFilesAreTheSameSet) {
  encode(job(store_));
  const auto before = files_of(store_);
  for (const auto& file : fs::recursive_directory_iterator(images_))
    if (file.is_regular_file())
      fs::last_write_time(
          file, fs::file_time_type::clock::now() - std::chrono::hours(5));
  EXPECT_TRUE(encode(job(store_)).contains("already_complete"));
  fs::copy(images_, folder_ / "copy", fs::copy_options::recursive);
  auto copied = job(store_);
  copied.data = (folder_ / "copy").string();
  EXPECT_TRUE(encode(copied).contains("already_complete"));
  EXPECT_EQ(files_of(store_), before);
}

TEST_F(EncodeChanges, OnlyWhatIsNewIsEncoded) {
  encode(job(store_));
  put(images_ / "shirt/9.png", 50);
  EXPECT_EQ(counts(encode_again()), (std::vector<int64_t>{9, 1, 0}));
  change();
  EXPECT_EQ(counts(encode_again()), (std::vector<int64_t>{8, 3, 1}));
  EXPECT_TRUE(encode(job(store_)).contains("already_complete"));
  const StoreReader reader(store_);
  EXPECT_EQ(reader.info().class_names,
            (std::vector<std::string>{"apron", "boot", "shirt"}));
  EXPECT_EQ(reader.facts(1).label, 1);
  EXPECT_TRUE(verify_store(store_).problems.empty());
}

TEST_F(EncodeChanges, RowsOfACodecAreCopiedAsTheyAre) {
  save_vae();
  for (const bool flips : {false, true}) {
    flips_ = flips;
    fs::remove_all(store_);
    encode(job(store_));
    put(images_ / fmt::format("shirt/{}.png", flips ? "x" : "y"), 70);
    put(images_ / "boot/2.png", flips ? 71 : 72);
    EXPECT_EQ(encode_again()["encoded"], 2);
  }
}

TEST_F(EncodeChanges, TokensAreCopiedInEveryPacking) {
  save_codec<VQModel>(VQModelConfig{.in_channels = 1,
                                    .out_channels = 1,
                                    .block_out_channels = {8},
                                    .num_vq_embeddings = 11,
                                    .norm_num_groups = 4});
  uint64_t seed = 200;
  for (const char* packing : {"none", "bits", "entropy"}) {
    packing_ = packing;
    fs::remove_all(store_);
    encode(job(store_));
    put(images_ / fmt::format("boot/{}.png", packing), seed++);
    EXPECT_EQ(encode_again()["encoded"], 1) << packing;
  }
}

TEST_F(EncodeChanges, SizesThatAreMixedKeepTheOrderOfAFreshEncode) {
  // Two sizes of image share a grid where both are padded.
  save_vae();
  batch_size_ = 2;
  for (uint64_t i = 0; i < 12; ++i)
    put(images_ / fmt::format("boot/tall{:02}.png", i), 30 + i, i % 3 ? 12 : 11,
        i % 2 ? 8 : 7);
  encode(job(store_));
  change();
  put(images_ / "boot/tall05.png", 99, 12, 8);
  put(images_ / "boot/tall055.png", 98, 11, 7);
  EXPECT_EQ(encode_again()["encoded"], 5);
}

TEST_F(EncodeChanges, ABrokenOffStoreOfMixedSizesGoesOnToTheSameBytes) {
  save_vae();
  batch_size_ = 2;
  for (uint64_t i = 0; i < 12; ++i)
    put(images_ / fmt::format("boot/tall{:02}.png", i), 30 + i, i % 3 ? 12 : 11,
        i % 2 ? 8 : 7);
  encode(job(store_));
  const auto whole = files_of(store_);
  for (size_t num_lines = 0; num_lines < 6; ++num_lines) {
    break_off(store_, num_lines);
    encode(job(store_));
    ASSERT_EQ(files_of(store_), whole) << num_lines;
  }
}

TEST_F(EncodeChanges, ABrokenOffStoreWhoseSetChangedIsReplacedToo) {
  encode(job(store_));
  break_off(store_, 1);
  put(images_ / "shirt/9.png", 50);
  EXPECT_EQ(encode_again()["copied"], 4);
}

TEST_F(EncodeChanges, WhatAKillLeftIsGoneOnWith) {
  encode(job(store_));
  fs::copy(store_, folder_ / "old");
  change();
  encode(job(folder_ / "new"));

  // Killed before the new store was whole,
  fs::copy(folder_ / "new", successor_of(store_));
  break_off(successor_of(store_), 1);
  EXPECT_EQ(encode_again()["encoded"], 1);  // two are in its first shard

  // before it took its place,
  fs::remove_all(store_);
  fs::copy(folder_ / "old", store_);
  fs::copy(folder_ / "new", successor_of(store_));
  EXPECT_TRUE(encode_again().contains("already_complete"));

  // and behind that.
  fs::copy(folder_ / "old", successor_of(store_));
  EXPECT_TRUE(encode_again().contains("already_complete"));

  // Of another set than the one that is wanted now.
  fs::copy(folder_ / "old", successor_of(store_));
  put(images_ / "shirt/11.png", 51);
  EXPECT_EQ(encode_again()["encoded"], 1);
}

TEST_F(EncodeChanges, AStoreThatLostAShardIsEncodedAnew) {
  encode(job(store_));
  fs::remove(store_ / "shard-00001.h5");
  put(images_ / "boot/new.png", 55);
  encode_again();
  EXPECT_TRUE(verify_store(store_).problems.empty());
}

TEST_F(EncodeChanges, ADamagedRowIsNotCopied) {
  encode(job(store_));
  const auto shard = store_ / "shard-00001.h5";
  auto bytes = read_file(shard);
  bytes.back() ^= 1;
  write_file_atomic(shard, bytes);
  put(images_ / "shirt/9.png", 50);
  EXPECT_EQ(encode_again()["copied"], 0);
}

TEST_F(EncodeChanges, OtherSettingsAreStillRefused) {
  encode(job(store_));
  change();
  auto other = job(store_);
  other.dtype = "fp32";
  EXPECT_THAT(message_of<ConfigError>([&] { encode(other); }),
              EndsWith("store: is another store: dtype is \"fp16\" in the "
                       "store, \"fp32\" now; delete the folder to start anew"));
  put(folder_ / "strangers/1.png", 1);
  EXPECT_THAT(
      message_of<ConfigError>([&] { encode(job(folder_ / "strangers")); }),
      HasSubstr("choose an empty folder"));
}

TEST_F(EncodeChanges, AWrongFolderDoesNotCostAStore) {
  encode(job(store_));
  const auto before = files_of(store_);
  put(folder_ / "others/boot/0.png", 60);  // a name that the store has
  auto wrong = job(store_);
  wrong.data = (folder_ / "others").string();
  EXPECT_EQ(
      message_of<ConfigError>([&] { encode(wrong); }),
      fmt::format("{}: holds other images: it is of {}, and none of its rows "
                  "is of an image of {}; delete the folder to start anew",
                  store_.string(), images_.string(), wrong.data));
  EXPECT_EQ(files_of(store_), before);
  // In its own folder a set may change altogether.
  for (uint64_t i = 0; i < 9; ++i)
    put(images_ / fmt::format("{}/{}.png", i % 2 ? "shirt" : "boot", i),
        80 + i);
  EXPECT_EQ(counts(encode_again()), (std::vector<int64_t>{0, 9, 0}));
}

TEST_F(EncodeChanges, AnImageThatCannotBeReadIsTriedAgainWhenItIsMended) {
  write_file_atomic(images_ / "shirt/bad.png", "no image");
  const auto result = encode(job(store_));
  EXPECT_EQ(result["num_skipped"], 1);
  EXPECT_TRUE(encode(job(store_)).contains("already_complete"));
  put(images_ / "shirt/bad.png", 77);
  EXPECT_EQ(counts(encode_again()), (std::vector<int64_t>{9, 1, 0}));
}

TEST_F(EncodeChanges, SpaceIsLookedAtBeforeTheFirstRow) {
  auto large = job(folder_ / "large");
  large.data = "synthetic:100000000:4096:1";
  large.preprocessing.size = 4096;
  EXPECT_THAT(message_of<ConfigError>([&] { encode(large); }),
              testing::MatchesRegex(".*large: needs [0-9]+ TiB, and .* are "
                                    "free there"));
  EXPECT_FALSE(fs::exists(large.out));
  large.dry_run = true;
  const auto would = encode(large);
  EXPECT_GT(would["needs_bytes"], would["free_bytes"]);
  EXPECT_GE(would["needs_bytes"], int64_t{100'000'000} * 4096 * 4096 * 2);
}

}  // namespace
}  // namespace calotype
