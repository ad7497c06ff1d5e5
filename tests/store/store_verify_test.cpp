#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "store/latent_store.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

class StoreVerify : public testing::Test {
 protected:
  StoreVerify() {
    StoreWriter writer(folder(), sample_info(), 4);
    append_missing(writer, 10);
    writer.finish();
  }

  std::filesystem::path folder() const { return temporary_ / "store"; }
  std::vector<std::string> problems() const {
    return verify_store(folder()).problems;
  }

  /// Replaces the first `from` in a file of the store.
  void change(const std::string& file, const std::string& from,
              const std::string& to) {
    auto text = read_text_file(folder() / file);
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_file_atomic(folder() / file, text.replace(at, from.size(), to));
  }

  TempFolder temporary_;
};

/// True if `action` comes back in a child process, with an exception or
/// without.
template <class Action>
bool survives(Action&& action) {
  const auto child = fork();
  if (child == 0) {
    alarm(60);
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(StoreVerify, FindsNothingWrongWithASoundStore) {
  const auto report = verify_store(folder());
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_EQ(report.num_shards, 3);
  EXPECT_EQ(report.num_rows, 10);
  EXPECT_TRUE(report.complete);
  EXPECT_THAT(
      report.notes,
      ElementsAre(EndsWith("20 of the source's 30 images are not stored")));
}

TEST_F(StoreVerify, TellsAFlippedRowFromAFlippedHeader) {
  const auto path = folder() / "shard-00001.h5";
  auto bytes = read_file(path);
  bytes[bytes.size() - 1] ^= 1;
  write_file_atomic(path, bytes);
  EXPECT_THAT(problems(),
              ElementsAre(HasSubstr("shard-00001.h5: the rows are damaged")));
  bytes[100] ^= 1;
  write_file_atomic(path, bytes);
  EXPECT_THAT(problems(),
              ElementsAre(EndsWith("shard-00001.h5: the header is damaged")));
}

TEST_F(StoreVerify, MissesNoFlippedByte) {
  const auto path = folder() / "shard-00001.h5";
  const auto sound = read_file(path);
  const auto step = sound.size() / 211;  // a prime: many places of many arrays
  for (size_t at = 0; at < sound.size(); at += step) {
    auto bytes = sound;
    bytes[at] ^= 0x55;
    write_file_atomic(path, bytes);
    EXPECT_EQ(problems().size(), 1u) << at;
  }
}

TEST_F(StoreVerify, ReadingADamagedShardByItselfNeverCrashes) {
  const auto sound = read_file(folder() / "shard-00001.h5");
  const auto alone = temporary_ / "alone.h5";
  // The first 4 KiB hold every header of a shard with a short description.
  EXPECT_TRUE(survives([&] {
    at::set_num_threads(1);
    for (size_t at = 0; at < sound.size(); at += at < 4096 ? 7 : 997) {
      auto bytes = sound;
      bytes[at] = uint8_t(~bytes[at]);
      FILE* file = std::fopen(alone.c_str(), "wb");
      std::fwrite(bytes.data(), 1, bytes.size(), file);
      std::fclose(file);
      try {
        const StoreReader reader(alone);
        reader.read(at::arange(reader.size()));
      } catch (const DataError&) {
      }
    }
  }));
}

TEST_F(StoreVerify, ReportsMissingAndTruncatedShards) {
  std::filesystem::remove(folder() / "shard-00000.h5");
  std::filesystem::resize_file(folder() / "shard-00002.h5", 100);
  EXPECT_THAT(problems(), ElementsAre(HasSubstr("shard-00000.h5: cannot open"),
                                      HasSubstr("shard-00002.h5: expected")));
}

TEST_F(StoreVerify, ReportsAnIndexThatIsThereTwice) {
  // Shard 1 once more, under another name and with a line of its own.
  std::filesystem::copy(folder() / "shard-00001.h5",
                        folder() / "shard-00003.h5");
  const auto list = read_text_file(folder() / "shards.jsonl");
  auto line = list.substr(list.find("{\"file\":\"shard-00001.h5\""));
  line.resize(line.find('\n'));
  append_line_synced(folder() / "shards.jsonl",
                     line.replace(line.find("00001"), 5, "00003"));
  const auto found = problems();
  EXPECT_THAT(
      found,
      testing::Contains(HasSubstr(
          "shard-00003.h5: row 0 has index 4, which shard-00001.h5 has too")));
  EXPECT_THAT(found, testing::Contains(
                         EndsWith("store.json says 10 rows, shards.jsonl 14")));
}

TEST_F(StoreVerify, ReportsNumbersThatDoNotFitTheRows) {
  auto info = read_json_file(folder() / "store.json");
  info["mean"][0] = 0.5;
  write_file_atomic(folder() / "store.json", info.dump());
  EXPECT_THAT(problems(),
              ElementsAre(EndsWith(
                  "mean and std in store.json are not those of the rows")));
  change("shards.jsonl", "\"max_index\":3", "\"max_index\":9");
  EXPECT_THAT(problems(),
              testing::Contains(
                  EndsWith("indices are in [0, 3], shards.jsonl says [0, 9]")));
  change("shards.jsonl", "\"variance\":[", "\"variance\":[1");
  EXPECT_THAT(problems(), testing::Contains(EndsWith(
                              "shard-00000.h5: its sums in shards.jsonl are "
                              "not those of its rows")));
}

TEST_F(StoreVerify, ReportsLinesThatSayNothing) {
  change("shards.jsonl", "shard-00001.h5", "../../etc/passwd");
  EXPECT_THAT(
      problems()[0],
      EndsWith("shards.jsonl: line 2: file must be like shard-00000.h5"));
  write_file_atomic(folder() / "store.json", "{");
  EXPECT_THAT(problems()[0],
              EndsWith("store.json: not JSON at line 1, column 1"));
}

TEST_F(StoreVerify, NotesForeignFilesAndIncompleteStores) {
  write_file_atomic(folder() / "notes.txt", "mine");
  EXPECT_THAT(
      verify_store(folder()).notes,
      testing::Contains(EndsWith("notes.txt: is no part of the store")));
  { StoreWriter(temporary_ / "begun", sample_info()); }
  const auto report = verify_store(temporary_ / "begun");
  EXPECT_FALSE(report.complete);
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.notes,
              ElementsAre(HasSubstr("not complete: 0 rows so far")));
  EXPECT_THAT(message_of<ConfigError>([&] { verify_store(temporary_.path()); }),
              HasSubstr("no latent store here"));
}

}  // namespace
}  // namespace calotype
