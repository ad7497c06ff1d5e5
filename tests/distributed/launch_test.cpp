#include "distributed/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "core/error.h"

namespace calotype {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using Variables = std::map<std::string, std::string>;

std::optional<Launch> launch_in(Variables variables) {
  return find_launch(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        if (found == variables.end()) return {};
        return found->second;
      });
}

void expect_refused(const Variables& variables, const std::string& text) {
  EXPECT_THAT([&] { launch_in(variables); },
              ThrowsMessage<ConfigError>(HasSubstr(text)));
}

TEST(FindLaunch, IsNothingWithoutALauncher) {
  EXPECT_FALSE(launch_in({}));
  EXPECT_FALSE(launch_in({{"RANK", "0"}, {"WORLD_SIZE", "1"}}));
}

TEST(FindLaunch, ReadsWhatTorchrunSays) {
  const auto launch = launch_in({{"RANK", "5"},
                                 {"WORLD_SIZE", "8"},
                                 {"LOCAL_RANK", "1"},
                                 {"LOCAL_WORLD_SIZE", "4"},
                                 {"MASTER_ADDR", "node3"},
                                 {"MASTER_PORT", "29511"},
                                 {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                 {"TORCHELASTIC_RESTART_COUNT", "2"}});
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->rank, 5);
  EXPECT_EQ(launch->size, 8);
  EXPECT_EQ(launch->local_rank, 1);
  EXPECT_EQ(launch->local_size, 4);
  EXPECT_EQ(launch->address, "node3");
  EXPECT_EQ(launch->port, 29511);
  EXPECT_TRUE(launch->agent_serves);
  EXPECT_EQ(launch->attempt, 2);
  EXPECT_EQ(launch->variables,
            "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4");
}

TEST(FindLaunch, MeetsHereWhereAllProcessesAre) {
  const auto mpirun = launch_in({{"OMPI_COMM_WORLD_RANK", "1"},
                                 {"OMPI_COMM_WORLD_SIZE", "2"},
                                 {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                 {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  ASSERT_TRUE(mpirun);
  EXPECT_EQ(mpirun->address, "127.0.0.1");
  EXPECT_GE(mpirun->port, 20000);
  const auto srun = launch_in({{"SLURM_PROCID", "1"},
                               {"SLURM_STEP_NUM_TASKS", "2"},
                               {"SLURM_STEP_NUM_NODES", "1"},
                               {"SLURM_LOCALID", "1"}});
  ASSERT_TRUE(srun);
  EXPECT_EQ(srun->address, "127.0.0.1");
  EXPECT_EQ(srun->local_size, 2);
  const auto loop = launch_in({{"RANK", "1"},
                               {"WORLD_SIZE", "2"},
                               {"MASTER_ADDR", "localhost"},
                               {"MASTER_PORT", "4000"}});
  ASSERT_TRUE(loop);
  EXPECT_EQ(loop->local_size, 2);
}

TEST(FindLaunch, GivesJobsOnOneMachinePortsOfTheirOwn) {
  const auto port_of = [](const std::string& job) {
    return launch_in({{"OMPI_COMM_WORLD_RANK", "0"},
                      {"OMPI_COMM_WORLD_SIZE", "2"},
                      {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                      {"PMIX_NAMESPACE", job}})
        ->port;
  };
  EXPECT_EQ(port_of("3144941569"), port_of("3144941569"));
  EXPECT_NE(port_of("3144941569"), port_of("3144941570"));
}

TEST(FindLaunch, RefusesWhereNobodySaysWhereToMeet) {
  expect_refused({{"OMPI_COMM_WORLD_RANK", "1"},
                  {"OMPI_COMM_WORLD_SIZE", "4"},
                  {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}},
                 "MASTER_ADDR is not set, and only 2 of 4 processes are on "
                 "this machine");
  expect_refused({{"RANK", "1"}, {"WORLD_SIZE", "4"}},
                 "MASTER_ADDR is not set, and nobody says whether all "
                 "processes are on this machine");
  expect_refused({{"RANK", "1"},
                  {"WORLD_SIZE", "4"},
                  {"MASTER_ADDR", "node1"},
                  {"TORCHELASTIC_USE_AGENT_STORE", "True"}},
                 "MASTER_PORT is not");
}

// In a batch script that calls no srun they would wait for processes that
// nobody starts.
TEST(FindLaunch, IsAloneInABatchScript) {
  EXPECT_FALSE(launch_in({{"SLURM_PROCID", "0"},
                          {"SLURM_NTASKS", "4"},
                          {"SLURM_LOCALID", "0"},
                          {"SLURM_JOB_ID", "17"}}));
}

TEST(FindLaunch, TakesTheInnermostLauncher) {
  const Variables srun = {{"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}};
  auto torchrun = srun;
  torchrun.insert({{"RANK", "7"},
                   {"WORLD_SIZE", "8"},
                   {"MASTER_ADDR", "node1"},
                   {"MASTER_PORT", "29500"}});
  EXPECT_EQ(launch_in(torchrun)->rank, 7);
  auto mpirun = srun;
  mpirun.insert({{"OMPI_COMM_WORLD_RANK", "3"},
                 {"OMPI_COMM_WORLD_SIZE", "4"},
                 {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}});
  EXPECT_EQ(launch_in(mpirun)->rank, 3);
}

TEST(FindLaunch, RefusesWhatIsHalfSetOrContradictsItself) {
  expect_refused({{"RANK", "0"}}, "RANK is set and WORLD_SIZE is not");
  expect_refused({{"WORLD_SIZE", "2"}}, "WORLD_SIZE is set and RANK is not");
  expect_refused({{"RANK", "2"}, {"WORLD_SIZE", "2"}},
                 "RANK=2: there are 2 processes, counted from 0");
  expect_refused({{"RANK", "one"}, {"WORLD_SIZE", "2"}},
                 "RANK: expected a whole number");
  expect_refused({{"RANK", "0"},
                  {"WORLD_SIZE", "2"},
                  {"OMPI_COMM_WORLD_RANK", "1"},
                  {"OMPI_COMM_WORLD_SIZE", "2"}},
                 "contradict each other");
  expect_refused({{"RANK", "0"},
                  {"WORLD_SIZE", "2"},
                  {"LOCAL_WORLD_SIZE", "3"},
                  {"MASTER_ADDR", "localhost"}},
                 "LOCAL_WORLD_SIZE=3: cannot be more than WORLD_SIZE=2");
}

std::optional<Part> part_in(const std::string& text, Variables variables) {
  return find_part(text,
                   [&](const std::string& name) -> std::optional<std::string> {
                     const auto found = variables.find(name);
                     if (found == variables.end()) return {};
                     return found->second;
                   });
}

TEST(FindPart, IsWhatIsSaidWhateverTheLauncherSays) {
  const auto part = part_in("2/8", {{"RANK", "0"}, {"WORLD_SIZE", "2"}});
  EXPECT_EQ(part->index, 2);
  EXPECT_EQ(part->count, 8);
  EXPECT_EQ(part->variables, "");
  EXPECT_FALSE(part_in("", {}));
  EXPECT_EQ(part_in("0/1", {{"RANK", "0"}, {"WORLD_SIZE", "2"}})->count, 1);
}

TEST(FindPart, NeedsNoPlaceToMeet) {
  const auto part = part_in("", {{"OMPI_COMM_WORLD_RANK", "3"},
                                 {"OMPI_COMM_WORLD_SIZE", "4"},
                                 {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}});
  EXPECT_EQ(part->index, 3);
  EXPECT_EQ(part->count, 4);
}

TEST(FindPart, CountsArraysFromTheirFirstIndex) {
  const auto part = part_in("", {{"SLURM_ARRAY_TASK_ID", "7"},
                                 {"SLURM_ARRAY_TASK_COUNT", "4"},
                                 {"SLURM_ARRAY_TASK_MIN", "5"}});
  EXPECT_EQ(part->index, 2);
  EXPECT_EQ(part->count, 4);
  EXPECT_EQ(part->first, 5);
  EXPECT_TRUE(part->is_array);
}

TEST(FindPart, TakesTheIndexOfKubernetesWithANumber) {
  const auto part = part_in("/6", {{"JOB_COMPLETION_INDEX", "5"}});
  EXPECT_EQ(part->index, 5);
  EXPECT_EQ(part->count, 6);
}

TEST(FindPart, RefusesWhatIsNoPart) {
  const auto refused = [](const std::string& text, const Variables& variables,
                          const std::string& message) {
    EXPECT_THAT([&] { part_in(text, variables); },
                ThrowsMessage<ConfigError>(HasSubstr(message)))
        << text;
  };
  refused("3/3", {}, "of 3 parts the last is 2/3, got 3/3");
  refused("3", {}, "expected I/N, such as 0/8 to 7/8, got \"3\"");
  refused("a/3", {}, "expected a whole number");
  refused("0/0", {}, "expected a whole number of 1 to");
  refused("/3", {}, "names no part, and no launcher does");
  refused("/3", {{"JOB_COMPLETION_INDEX", "3"}}, "counted from 0");
  refused("", {{"JOB_COMPLETION_INDEX", "3"}}, "--part /N does");
  refused("", {{"SLURM_ARRAY_TASK_ID", "3"}}, "SLURM_ARRAY_TASK_COUNT is not");
  refused("/3", {{"RANK", "0"}, {"WORLD_SIZE", "2"}}, "contradict each other");
}

}  // namespace
}  // namespace calotype
