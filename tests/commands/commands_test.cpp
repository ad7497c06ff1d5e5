#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <thread>

#include "core/files.h"
#include "core/runtime.h"
#include "tests/commands/command_file.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = CALOTYPE_COMMAND_FILES;

std::vector<std::string> command_files() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(kFolder))
    if (file.path().extension() == ".test")
      names.push_back(file.path().stem().string());
  std::ranges::sort(names);
  return names;
}

/// Runs a file in an empty folder that has the configurations of this one.
std::vector<std::string> run_file(const std::string& name) try {
  const TempFolder folder;
  for (const auto& file : fs::directory_iterator(kFolder))
    if (file.path().extension() == ".json")
      fs::copy(file.path(), folder.path() / file.path().filename());
  return run_command_file(kFolder / (name + ".test"), folder.path());
} catch (const std::exception& error) {
  return {error.what()};
}

class Commands : public testing::TestWithParam<std::string> {
 protected:
  // All of them, as many at once as there are CPUs: what takes time is that
  // LibTorch is loaded for each command, by one thread.
  static void SetUpTestSuite() {
    const auto files = command_files();
    std::vector<std::vector<std::string>> wrong(files.size());
    std::atomic<size_t> next = 0;
    std::vector<std::jthread> workers;
    for (int64_t i = 0; i < num_usable_cpus(); ++i)
      workers.emplace_back([&] {
        for (size_t file = next++; file < files.size(); file = next++)
          wrong[file] = run_file(files[file]);
      });
    workers.clear();
    for (size_t i = 0; i < files.size(); ++i) wrong_[files[i]] = wrong[i];
  }

  static inline std::map<std::string, std::vector<std::string>> wrong_;
};

TEST_P(Commands, PrintWhatTheirFileSays) {
  EXPECT_THAT(wrong_.at(GetParam()), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Files, Commands, testing::ValuesIn(command_files()),
                         [](const auto& file) {
                           auto name = file.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(CommandFile, HasCommandsAndWhatTheyPrint) {
  const auto steps = read_command_file(
      "# Why.\n\n$ cat <<END\n> a\n> END\na\n\nb\n\n$ false\n! no\n!\n! why\n"
      "[3]\n");
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].line, 3);
  EXPECT_EQ(steps[0].command, "cat <<END\na\nEND");
  EXPECT_EQ(steps[0].out, (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(steps[0].code, 0);
  EXPECT_EQ(steps[1].err, (std::vector<std::string>{"no", "", "why"}));
  EXPECT_EQ(steps[1].code, 3);
}

TEST(CommandFile, HasBlanks) {
  EXPECT_TRUE(matches({"a <...> c", "...", "z"}, {"a b c", "d", "e", "z"}));
  EXPECT_TRUE(matches({"...", "z"}, {"z"}));
  EXPECT_TRUE(matches({"<...>%<...>"}, {"1% of 2%"}));
  EXPECT_FALSE(matches({"a <...> c"}, {"a b d"}));
  EXPECT_FALSE(matches({"a"}, {"a", "b"}));
  EXPECT_FALSE(matches({"a", "..."}, {}));
  EXPECT_FALSE(matches({}, {"a"}));
}

TEST(CommandFile, TellsWhatACommandDidInstead) {
  const TempFolder folder;
  write_file_atomic(folder / "a.test",
                    std::string_view("$ echo right\nright\n\n"
                                     "$ echo wrong; echo why >&2; exit 4\n"
                                     "right\n"));
  EXPECT_THAT(
      run_command_file(folder / "a.test", folder.path()),
      testing::ElementsAre((folder / "a.test").string() +
                           ":4: did this instead:\n$ echo wrong; echo why "
                           ">&2; exit 4\nwrong\n! why\n[4]\n"));
}

}  // namespace
}  // namespace calotype
