#include "core/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <numeric>

#include "core/error.h"
#include "tests/core/child_process.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

void write_plainly(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename());
  return names;
}

/// For as long as it lives no file can grow beyond `size_bytes`: a full disk
/// that needs no disk.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t size_bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{size_bytes, old_limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_limit_{};
  sighandler_t old_handler_;
};

TEST(ReadFile, GivesEveryByte) {
  const TempFolder folder;
  std::string text(200'000, '\0');  // more than one read's buffer
  std::iota(text.begin(), text.end(), 0);
  write_plainly(folder / "bytes", text);
  EXPECT_EQ(read_text_file(folder / "bytes"), text);
  EXPECT_EQ(read_file(folder / "bytes", text.size()).size(), text.size());
}

TEST(ReadFile, SaysWhatIsMissing) {
  const TempFolder folder;
  const auto path = folder / "none";
  EXPECT_THAT([&] { read_file(path); },
              ThrowsMessage<ConfigError>(
                  path.string() + ": cannot open: No such file or directory"));
  EXPECT_THAT([&] { read_file(folder.path()); },
              ThrowsMessage<ConfigError>(HasSubstr("Is a directory")));
}

TEST(ReadFile, RefusesAFileAboveTheLimit) {
  const TempFolder folder;
  write_plainly(folder / "big", std::string(101, 'x'));
  EXPECT_THAT([&] { read_file(folder / "big", 100); },
              ThrowsMessage<DataError>(
                  HasSubstr("larger than the limit of 100 bytes")));
}

TEST(WriteFileAtomic, ReplacesTheContentAndLeavesNothingElse) {
  const TempFolder folder;
  write_file_atomic(folder / "a", std::string_view("first, and longer"));
  write_file_atomic(folder / "a", std::string_view("second"));
  EXPECT_EQ(read_text_file(folder / "a"), "second");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("a"));
}

TEST(WriteFileAtomic, AFullDiskLeavesTheOldContent) {
  const TempFolder folder;
  write_file_atomic(folder / "a", std::string_view("old"));
  {
    const SmallDisk disk(1000);
    EXPECT_THAT(
        [&] { write_file_atomic(folder / "a", std::string(5000, 'n')); },
        ThrowsMessage<ConfigError>(HasSubstr("cannot write: File too large")));
  }
  EXPECT_EQ(read_text_file(folder / "a"), "old");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("a"));
}

TEST(WriteFileAtomic, AMissingFolderIsNamed) {
  const TempFolder folder;
  EXPECT_THAT(
      [&] { write_file_atomic(folder / "no" / "a", std::string_view("x")); },
      ThrowsMessage<ConfigError>(
          HasSubstr("/no/a: cannot write: No such file")));
}

TEST(AppendLine, AddsLineAfterLine) {
  const TempFolder folder;
  append_line_synced(folder / "log", "one");
  append_line_synced(folder / "log", "two");
  EXPECT_EQ(read_text_file(folder / "log"), "one\ntwo\n");
}

TEST(AppendLine, EndsATornLineFirst) {
  const TempFolder folder;
  write_plainly(folder / "log", "one\ntw");
  append_line_synced(folder / "log", "three");
  EXPECT_EQ(read_text_file(folder / "log"), "one\ntw\nthree\n");
}

TEST(AppendLine, AFullDiskIsReported) {
  const TempFolder folder;
  append_line_synced(folder / "log", "one");
  {
    const SmallDisk disk(6);
    EXPECT_THROW(append_line_synced(folder / "log", "two, too long"),
                 ConfigError);
  }
  append_line_synced(folder / "log", "three");
  EXPECT_THAT(read_text_file(folder / "log"), testing::StartsWith("one\n"));
  EXPECT_THAT(read_text_file(folder / "log"), testing::EndsWith("\nthree\n"));
}

TEST(MakeFolder, MakesParentsAndAcceptsWhatIsThere) {
  const TempFolder folder;
  make_folder(folder / "a" / "b");
  make_folder(folder / "a" / "b");
  EXPECT_TRUE(fs::is_directory(folder / "a" / "b"));
}

TEST(MakeFolder, RefusesAFileInTheWay) {
  const TempFolder folder;
  write_plainly(folder / "a", "");
  EXPECT_THAT(
      [&] { make_folder(folder / "a"); },
      ThrowsMessage<ConfigError>(HasSubstr("/a: cannot make the folder")));
}

TEST(FolderLock, RefusesASecondProcess) {
  const TempFolder folder;
  const auto try_to_lock = [&] {
    try {
      const FolderLock lock(folder.path());
      return 0;
    } catch (const ConfigError& error) {
      const auto expected =
          folder.path().string() + ": another process is writing here";
      return error.what() == expected ? 2 : 3;
    }
  };
  {
    const FolderLock lock(folder.path());
    EXPECT_EQ(exit_code_of_child(try_to_lock), 2);
  }
  EXPECT_EQ(exit_code_of_child(try_to_lock), 0);
}

TEST(FolderLock, IsFreeAfterAKill) {
  const TempFolder folder;
  const int code = exit_code_of_child([&]() -> int {
    const FolderLock lock(folder.path());
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(code, 128 + SIGKILL);
  EXPECT_NO_THROW(FolderLock{folder.path()});
}

}  // namespace
}  // namespace calotype
