#include "store/store_replacing.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "core/files.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

class StoreReplacing : public testing::Test {
 protected:
  static void write(const fs::path& folder, int64_t count) {
    StoreWriter writer(folder, sample_info(), 4);
    append_missing(writer, count);
    writer.finish();
  }

  TempFolder folder_;
  fs::path store_ = folder_ / "store";
};

TEST_F(StoreReplacing, TheNewStoreTakesTheOldOnesPlace) {
  write(store_, 6);
  write(successor_of(store_), 9);
  write_file_atomic(store_ / "notes.txt", "mine");
  const StoreReader old(store_);
  replace_store(store_);
  EXPECT_EQ(StoreReader(store_).size(), 9);
  EXPECT_FALSE(fs::exists(successor_of(store_)));
  EXPECT_EQ(read_text_file(store_ / "notes.txt"), "mine");
  // Who had the old one open goes on reading it.
  EXPECT_TRUE(at::equal(old.gather(at::arange(6)).grid.mean,
                        sample_rows(0, 6).grid.mean));
}

TEST_F(StoreReplacing, ALinkStaysALink) {
  write(folder_ / "elsewhere", 6);
  fs::create_directory_symlink(folder_ / "elsewhere", store_);
  write(successor_of(store_), 9);
  replace_store(store_);
  EXPECT_TRUE(fs::is_symlink(store_));
  EXPECT_EQ(StoreReader(folder_ / "elsewhere").size(), 9);
}

TEST_F(StoreReplacing, WhatAKillLeftIsForgottenButForStrangers) {
  write(store_, 6);
  write(successor_of(store_), 9);
  write_file_atomic(successor_of(store_) / "notes.txt", "mine");
  write_file_atomic(successor_of(store_) / "shard-00009.h5.tmp", "half");
  discard_successor(store_);
  EXPECT_FALSE(fs::exists(successor_of(store_)));
  EXPECT_EQ(read_text_file(store_ / "notes.txt"), "mine");
  EXPECT_EQ(StoreReader(store_).size(), 6);
  discard_successor(store_);  // nothing there
}

TEST_F(StoreReplacing, AStoreThatWasMovedAsideComesBack) {
  // As a kill leaves it where names cannot be exchanged.
  auto aside = successor_of(store_).string();
  aside.replace(aside.find("-next-"), 6, "-old-");
  write(aside, 6);
  finish_replacing(store_);
  EXPECT_EQ(StoreReader(store_).size(), 6);
  EXPECT_FALSE(fs::exists(aside));

  write(aside, 4);
  finish_replacing(store_);
  EXPECT_EQ(StoreReader(store_).size(), 6);
  EXPECT_FALSE(fs::exists(aside));
}

}  // namespace
}  // namespace calotype
