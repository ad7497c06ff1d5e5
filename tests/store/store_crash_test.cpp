#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "core/error.h"
#include "core/files.h"
#include "store/latent_store.h"
#include "tests/store/faults.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kCount = 32;        // images; both shapes leave some
constexpr int64_t kRowsPerShard = 4;  // which divides the batches

/// Encodes what is missing, as `calotype encode` does.
void encode(const std::filesystem::path& folder) {
  StoreWriter writer(folder, sample_info(), kRowsPerShard);
  append_missing(writer, kCount, kRowsPerShard, true);
  writer.finish();
}

/// Runs `action` in a child process; returns waitpid's status, exit code 7 for
/// a ConfigError.
template <class Action>
int in_child(Action&& action, int kill_after_us = 0) {
  const auto child = fork();
  if (child == 0) {
    at::set_num_threads(1);  // OpenMP's threads do not come along
    alarm(60);
    try {
      action();
    } catch (const ConfigError&) {
      _exit(7);
    }
    _exit(0);
  }
  if (kill_after_us > 0) {
    usleep(useconds_t(kill_after_us));
    kill(child, SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool was_killed(int status) {
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

class StoreCrash : public testing::Test {
 protected:
  StoreCrash() {
    encode(folder_ / "whole");
    want_ = folder_content(folder_ / "whole");
  }

  /// A folder that a crash has not touched yet.
  std::filesystem::path fresh() {
    std::filesystem::remove_all(folder_ / "store");
    return folder_ / "store";
  }

  /// Goes on with `store` unless it is complete and compares it to one that was
  /// never broken off.
  void expect_heals(const std::filesystem::path& store) {
    const auto about = store / "store.json";
    const bool complete =
        std::filesystem::exists(about) &&
        read_text_file(about).find("\"complete\": true") != std::string::npos;
    if (!complete || !verify_store(store).problems.empty()) encode(store);
    const auto got = folder_content(store);
    ASSERT_EQ(got.size(), want_.size());
    for (const auto& [name, content] : want_)
      ASSERT_TRUE(got.contains(name) && got.at(name) == content) << name;
  }

  TempFolder folder_;
  std::map<std::string, std::string> want_;  // content by file
};

TEST_F(StoreCrash, WritesTheShardsThatItPromises) {
  // 13 images of one shape and 19 of the other in shards of 4, a list and a
  // description; the lock stays.
  EXPECT_EQ(want_.size(), 4u + 5u + 2u + 1u);
  EXPECT_THAT(verify_store(folder_ / "whole").problems, IsEmpty());
}

TEST_F(StoreCrash, ResumesToTheSameBytesAfterAKillAtAnyCall) {
  for (const auto fault : {Fault::kKill, Fault::kTornKill}) {
    bool killed = true;
    int num_points = 0;
    for (int at = 1; killed; ++at) {
      const auto store = fresh();
      const int status = in_child([&] {
        plan_fault(fault, at);
        encode(store);
      });
      killed = was_killed(status);
      if (!killed) {
        EXPECT_EQ(status, 0) << "a run that no fault met";
        break;
      }
      ++num_points;
      SCOPED_TRACE(fmt::format("killed at call {}", at));
      expect_heals(store);
      if (HasFatalFailure()) return;
    }
    // Six calls a shard and four for store.json, twice, at least.
    EXPECT_GE(num_points, 6 * 9 + 2 * 4);
  }
}

TEST_F(StoreCrash, ResumesAfterBeingKilledAgainAndAgain) {
  const auto store = fresh();
  int num_kills = 0;
  // Each run gets a little further: 9 calls hold one whole shard and its line.
  while (was_killed(in_child([&] {
    plan_fault(Fault::kTornKill, 9 + num_kills % 3);
    encode(store);
  })))
    ASSERT_LT(++num_kills, 50);
  EXPECT_GT(num_kills, 3);
  EXPECT_EQ(folder_content(store), want_);
}

TEST_F(StoreCrash, ResumesAfterKillsAtAnyTime) {
  std::mt19937 random(5);
  for (int i = 0; i < 30; ++i) {
    const auto store = fresh();
    in_child([&] { encode(store); }, 1 + int(random() % 20'000));
    SCOPED_TRACE(i);
    expect_heals(store);
    if (HasFatalFailure()) return;
  }
}

TEST_F(StoreCrash, SurvivesADiskThatIsFullAtAnyCall) {
  for (int at = 1;; ++at) {
    const auto store = fresh();
    const int status = in_child([&] {
      plan_fault(Fault::kDiskFull, at);
      encode(store);
    });
    ASSERT_TRUE(WIFEXITED(status)) << at;
    if (WEXITSTATUS(status) == 0)
      break;  // every folder sync may fail unnoticed
    EXPECT_EQ(WEXITSTATUS(status), 7);
    if (std::filesystem::exists(store / "store.json")) {
      EXPECT_THAT(verify_store(store).problems, IsEmpty()) << at;
    }
    SCOPED_TRACE(at);
    expect_heals(store);
    if (HasFatalFailure()) return;
  }
}

TEST_F(StoreCrash, GoesOnInTheSameProcessWhenThereIsSpaceAgain) {
  const auto store = fresh();
  {
    StoreWriter writer(store, sample_info(), kRowsPerShard);
    plan_fault(Fault::kDiskFull, 5);  // the first shard's line
    EXPECT_THAT(
        message_of<ConfigError>([&] { writer.append(sample_rows(0, 4)); }),
        HasSubstr("shards.jsonl: cannot write: No space left on device"));
    plan_fault(Fault::kNone, 0);
    writer.append(sample_rows(4, 6));
    writer.finish();
  }
  EXPECT_THAT(verify_store(store).problems, IsEmpty());
  EXPECT_EQ(StoreReader(store).size(), 10);
}

TEST_F(StoreCrash, NamesTheFileThatIsTooLarge) {
  const auto store = fresh();
  const int status = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{8192, 8192};  // store.json fits, a shard does not
    setrlimit(RLIMIT_FSIZE, &limit);
    const auto message = message_of<ConfigError>([&] { encode(store); });
    _exit(message == store.string() +
                         "/shard-00000.h5: cannot write: File too large"
              ? 0
              : 1);
  });
  EXPECT_EQ(status, 0);
  expect_heals(store);
}

TEST_F(StoreCrash, ForgetsAShardWithoutALineAndALineWithoutAnEnd) {
  const auto store = fresh();
  std::filesystem::copy(folder_ / "whole", store);
  auto info = read_text_file(store / "store.json");
  info.replace(info.find("\"complete\": true"), 16, "\"complete\": false");
  write_file_atomic(store / "store.json", info);
  auto list = read_text_file(store / "shards.jsonl");
  list.resize(list.size() - 20);
  write_file_atomic(store / "shards.jsonl", list);
  EXPECT_EQ(StoreReader(store, true).size(),
            kCount - 3);  // the last shard held three
  expect_heals(store);
}

TEST_F(StoreCrash, EncodesADamagedShardOfACompleteStoreAgain) {
  const auto store = fresh();
  std::filesystem::copy(folder_ / "whole", store);
  auto bytes = read_file(store / "shard-00001.h5");
  bytes.back() ^= 1;
  write_file_atomic(store / "shard-00001.h5", bytes);
  std::filesystem::remove(store / "shard-00003.h5");
  expect_heals(store);
}

TEST_F(StoreCrash, LeavesForeignFilesAlone) {
  const auto store = fresh();
  { StoreWriter(store, sample_info(), kRowsPerShard); }
  for (const auto* name : {"mine.tmp", "shard-1.h5", "skipped.txt"})
    write_file_atomic(store / name, "mine");
  for (const auto* name :
       {"shard-00007.h5", "shard-00008.h5.tmp", "store.json.tmp"})
    write_file_atomic(store / name, "left over");
  { StoreWriter(store, sample_info(), kRowsPerShard); }
  std::vector<std::string> names;
  for (const auto& [name, content] : folder_content(store))
    names.push_back(name);
  EXPECT_THAT(
      names, testing::ElementsAre(".lock", "mine.tmp", "shard-1.h5",
                                  "shards.jsonl", "skipped.txt", "store.json"));
}

TEST_F(StoreCrash, FreesTheLockWhenItsHolderIsKilled) {
  const auto store = fresh();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const auto child = fork();
  if (child == 0) {
    at::set_num_threads(1);
    StoreWriter writer(store, sample_info(), kRowsPerShard);
    const char byte = 1;
    if (write(ready[1], &byte, 1) == 1) pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(message_of<ConfigError>([&] { encode(store); }),
              HasSubstr("another process is writing here"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  expect_heals(store);
}

}  // namespace
}  // namespace calotype
