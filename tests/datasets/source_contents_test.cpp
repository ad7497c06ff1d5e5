#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "core/files.h"
#include "core/hash.h"
#include "datasets/hash_memory.h"
#include "datasets/image_source.h"
#include "datasets/source_record.h"
#include "tests/images/image_files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::Ne;
using testing::Optional;

void put(const fs::path& path, uint8_t value) {
  fs::create_directories(path.parent_path());
  write_file_atomic(path, encode_png({1, 1, 1, {value}}));
}

std::string fingerprint(const fs::path& path, const std::string& part = "") {
  return open_source(path.string() + part)->fingerprint();
}

/// Times of an hour ago, so that nothing is too new to be remembered.
void age(const fs::path& path) {
  fs::last_write_time(path,
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
}

struct stat status_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  // What tells apart is under test, not how new the file is.
  status.st_mtim.tv_sec -= 3600;
  status.st_ctim.tv_sec -= 3600;
  return status;
}

class SourceContents : public testing::Test {
 protected:
  void SetUp() override {
    put(root_ / "set/a/1.png", 1);
    put(root_ / "set/b/2.png", 2);
    ::setenv("XDG_CACHE_HOME", (root_ / "cache").c_str(), 1);
  }

  TempFolder root_;
  fs::path set_ = root_ / "set";
};

TEST_F(SourceContents, TheFingerprintIsOfNamesAndContents) {
  const auto before = fingerprint(set_);
  EXPECT_EQ(before.size(), 16u);
  age(set_ / "a/1.png");
  EXPECT_EQ(fingerprint(set_), before);
  fs::copy(set_, root_ / "copy", fs::copy_options::recursive);
  EXPECT_EQ(fingerprint(root_ / "copy"), before);

  put(root_ / "copy/b/2.png", 3);
  EXPECT_NE(fingerprint(root_ / "copy"), before);
  put(root_ / "copy/b/2.png", 2);
  EXPECT_EQ(fingerprint(root_ / "copy"), before);
  fs::rename(root_ / "copy/b/2.png", root_ / "copy/b/3.png");
  EXPECT_NE(fingerprint(root_ / "copy"), before);
  put(root_ / "copy/b/2.png", 2);
  EXPECT_NE(fingerprint(root_ / "copy"), before);
}

TEST_F(SourceContents, AFileOfTheSameSizeAndTimeIsAnotherIfItsBytesAre) {
  const auto before = fingerprint(set_);
  const auto time = fs::last_write_time(set_ / "a/1.png");
  put(set_ / "a/1.png", 9);
  fs::last_write_time(set_ / "a/1.png", time);
  EXPECT_NE(fingerprint(set_), before);
}

TEST_F(SourceContents, APartHasTheFingerprintOfItsOwnImages) {
  const auto first = fingerprint(set_, "[:1]"),
             b = fingerprint(set_, "[class=b]");
  EXPECT_NE(first, b);
  EXPECT_EQ(fingerprint(set_, "[1:]"), b);
  put(set_ / "b/2.png", 5);
  EXPECT_EQ(fingerprint(set_, "[:1]"), first);
  EXPECT_NE(fingerprint(set_, "[1:]"), b);
}

TEST_F(SourceContents, HashesAreThoseOfLoadedImages) {
  put(set_ / "b/3.png", 4);
  write_file_atomic(set_ / "b/4.png", "no image");
  fs::create_symlink("nowhere", set_ / "b/5.png");
  const auto source = open_source(set_.string());
  EXPECT_THAT(source->content_hashes({2, 0, 3, 4}),
              ElementsAre(source->load(2).hash, source->load(0).hash,
                          xxh64(std::string_view("no image")), uint64_t{0}));
  const auto drawn = open_source("synthetic:5:8[1:]");
  EXPECT_THAT(drawn->content_hashes({2}), ElementsAre(drawn->load(2).hash));
}

TEST_F(SourceContents, TheRecordNamesTheKind) {
  const auto source = open_source(set_.string());
  EXPECT_EQ(source_record(*source),
            (Json{{"spec", set_.string()},
                  {"fingerprint", source->fingerprint()},
                  {"fingerprint_kind", "contents"},
                  {"count", 2}}));
}

TEST_F(SourceContents, ALargeSetIsReadOnce) {
  for (int i = 0; i < 300; ++i) {
    put(set_ / fmt::format("c/{}.png", i), uint8_t(i % 200));
    age(set_ / fmt::format("c/{}.png", i));
  }
  const auto before = fingerprint(set_);
  // Files are too new while their inodes have just been written.
  const auto folder = root_ / "cache/calotype/hashes";
  EXPECT_TRUE(!fs::exists(folder) || !fs::is_empty(folder));
  EXPECT_EQ(fingerprint(set_), before);
}

TEST_F(SourceContents, AMemoryKnowsAFileByEverythingThatTellsItApart) {
  const auto file = set_ / "a/1.png";
  const auto status = status_of(file);
  {
    HashMemory memory(set_);
    EXPECT_EQ(memory.find("a/1.png", status), std::nullopt);
    memory.remember("a/1.png", status, 77);
    memory.save(2);
  }
  const HashMemory memory(set_);
  EXPECT_THAT(memory.find("a/1.png", status), Optional(uint64_t{77}));
  EXPECT_EQ(memory.find("a/2.png", status), std::nullopt);
  const auto changed = [&](auto&& change) {
    auto other = status;
    change(other);
    return memory.find("a/1.png", other);
  };
  EXPECT_EQ(changed([](auto& s) { ++s.st_size; }), std::nullopt);
  EXPECT_EQ(changed([](auto& s) { ++s.st_mtim.tv_nsec; }), std::nullopt);
  EXPECT_EQ(changed([](auto& s) { ++s.st_ctim.tv_nsec; }), std::nullopt);
  EXPECT_EQ(changed([](auto& s) { ++s.st_ino; }), std::nullopt);
  EXPECT_EQ(HashMemory(root_.path()).find("a/1.png", status), std::nullopt);
}

TEST_F(SourceContents, AMemoryForgetsWhatIsTooNew) {
  struct stat status {};
  ASSERT_EQ(::stat((set_ / "a/1.png").c_str(), &status), 0);
  status.st_mtim.tv_sec = ::time(nullptr) - 1;
  HashMemory memory(set_);
  memory.remember("a/1.png", status, 77);
  memory.save(2);
  EXPECT_EQ(HashMemory(set_).find("a/1.png", status), std::nullopt);
}

TEST_F(SourceContents, ADamagedMemoryIsNone) {
  const auto status = status_of(set_ / "a/1.png");
  HashMemory memory(set_);
  memory.remember("a/1.png", status, 77);
  memory.save(2);
  fs::path file;
  for (const auto& item :
       fs::directory_iterator(root_ / "cache/calotype/hashes"))
    file = item.path();
  ASSERT_FALSE(file.empty());
  const auto whole = read_file(file);
  for (size_t at = 0; at < whole.size(); ++at) {
    auto damaged = whole;
    damaged[at] ^= 4;
    write_file_atomic(file, damaged);
    EXPECT_EQ(HashMemory(set_).find("a/1.png", status), std::nullopt) << at;
  }
  write_file_atomic(file, std::span(whole).first(whole.size() / 2));
  EXPECT_EQ(HashMemory(set_).find("a/1.png", status), std::nullopt);
}

TEST_F(SourceContents, AHomeThatCannotBeWrittenToIsNoError) {
  write_file_atomic(root_ / "file", "in the way");
  ::setenv("XDG_CACHE_HOME", (root_ / "file").c_str(), 1);
  HashMemory memory(set_);
  memory.remember("a/1.png", status_of(set_ / "a/1.png"), 77);
  EXPECT_NO_THROW(memory.save(2));
}

}  // namespace
}  // namespace calotype
