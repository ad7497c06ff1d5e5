#include "core/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <numeric>
#include <thread>

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

TEST(ReadFile, ReadsAPipeToItsEnd) {
  const TempFolder folder;
  const auto pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string text(200'000, 'p');
  std::thread writer([&] { write_plainly(pipe, text); });
  EXPECT_EQ(read_text_file(pipe), text);
  writer.join();
}

TEST(ReadFile, RefusesADeviceWithoutEnd) {
  EXPECT_THAT([&] { read_file("/dev/zero", 1 << 20); },
              ThrowsMessage<DataError>(
                  "/dev/zero: larger than the limit of 1048576 bytes"));
}

TEST(ReadFile, RefusesASparseFileBeforeItTakesMemoryForIt) {
  const TempFolder folder;
  write_plainly(folder / "sparse", "");
  fs::resize_file(folder / "sparse", uint64_t{1} << 40);
  EXPECT_THAT([&] { read_file(folder / "sparse", uint64_t{1} << 39); },
              ThrowsMessage<DataError>(HasSubstr("larger than the limit")));
}

TEST(VisitFile, GivesTheBytesPieceByPiece) {
  const TempFolder folder;
  const std::string text(3'000'001, 'v');
  write_plainly(folder / "file", text);
  std::string seen;
  int num_pieces = 0;
  visit_file(folder / "file", [&](std::span<const uint8_t> bytes) {
    seen.append(bytes.begin(), bytes.end());
    ++num_pieces;
  });
  EXPECT_EQ(seen, text);
  EXPECT_EQ(num_pieces, 3);
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

TEST(WriteFileAtomic, TakesTheLongestNameThatAFileMayHave) {
  const TempFolder folder;
  const std::string name(255, 'n');
  write_file_atomic(folder / name, std::string_view("long"));
  EXPECT_EQ(read_text_file(folder / name), "long");
}

TEST(WriteFileAtomic, OfManyProcessesAtOnceLeavesOneWholeContent) {
  const TempFolder folder;
  constexpr int kProcesses = 4, kRounds = 100;
  std::vector<pid_t> children;
  for (int child = 0; child < kProcesses; ++child) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    try {
      for (int round = 0; round < kRounds; ++round)
        write_file_atomic(folder / "a", std::string(50'000, char('a' + child)),
                          Durability::kRenamed);
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  for (const auto child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  const auto text = read_text_file(folder / "a");
  EXPECT_EQ(text, std::string(50'000, text.at(0)));
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("a"));
}

TEST(WriteFileAtomic, TakesOverWhatAKilledProcessLeft) {
  const TempFolder folder;
  const int code = exit_code_of_child([&] {
    const SmallDisk disk(1000);
    std::signal(SIGXFSZ, SIG_DFL);  // ends the process in the midst of a write
    write_file_atomic(folder / "a", std::string(5000, 'k'));
    return 0;
  });
  EXPECT_EQ(code, 128 + SIGXFSZ);
  const auto left = names_in(folder.path());
  ASSERT_EQ(left.size(), 1u);
  EXPECT_TRUE(is_temporary_name(left[0])) << left[0];
  write_file_atomic(folder / "a", std::string_view("whole"));
  EXPECT_EQ(read_text_file(folder / "a"), "whole");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("a"));
}

TEST(WriteFileAtomic, LeavesDevicesAlone) {
  EXPECT_THAT([&] { write_file_atomic("/dev/null", std::string_view("x")); },
              ThrowsMessage<ConfigError>(HasSubstr("got a device or a pipe")));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
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
