#include "core/cgroup.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>

#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

class Cgroups : public testing::Test {
 protected:
  void write(const fs::path& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text << "\n";
  }
  double cpus() { return cgroup_cpus(folder_ / "self", folder_ / "mount"); }
  int64_t free() {
    return cgroup_free_bytes(folder_ / "self", folder_ / "mount");
  }

 private:
  TempFolder folder_;
};

TEST_F(Cgroups, OfVersion2LimitFromOwnGroupUpToTheRoot) {
  write("self", "0::/batch/user/job");
  EXPECT_EQ(cpus(), 0);
  write("mount/batch/user/job/cpu.max", "max 100000");
  EXPECT_EQ(cpus(), 0);
  write("mount/batch/cpu.max", "250000 100000");
  EXPECT_EQ(cpus(), 2.5);
  write("mount/batch/user/cpu.max", "50000 100000");
  EXPECT_EQ(cpus(), 0.5);
}

TEST_F(Cgroups, OfAContainerLimitAtTheRootOfWhatItSees) {
  write("self", "0::/host/path/that/is/not/mounted");
  write("mount/cpu.max", "300000 100000");
  EXPECT_EQ(cpus(), 3);
}

TEST_F(Cgroups, OfVersion1LimitTheCpuController) {
  write("self", "9:memory:/other\n4:cpu,cpuacct:/docker/1f\n1:cpuset:/x");
  write("mount/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "-1");
  write("mount/cpu,cpuacct/docker/1f/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cpus(), 0);
  write("mount/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "400000");
  EXPECT_EQ(cpus(), 4);
}

TEST_F(Cgroups, OfVersion2LeaveWhatIsNotTakenAndWhatHoldsFiles) {
  write("self", "0::/batch/job");
  write("mount/batch/job/memory.max", "max");
  write("mount/batch/job/memory.current", "900");
  EXPECT_EQ(free(), std::numeric_limits<int64_t>::max());
  write("mount/batch/memory.max", "5000");
  write("mount/batch/memory.current", "3000");
  EXPECT_EQ(free(), 2000);
  write("mount/batch/memory.stat", "anon 2000\ninactive_file 600\nfile 800");
  EXPECT_EQ(free(), 2600);
  write("mount/batch/job/memory.max", "800");  // already above it
  EXPECT_EQ(free(), 0);
}

TEST_F(Cgroups, OfVersion1LimitMemoryToo) {
  write("self", "9:memory:/docker/1f\n4:cpu,cpuacct:/other");
  write("mount/memory/docker/1f/memory.limit_in_bytes", "7000");
  write("mount/memory/docker/1f/memory.usage_in_bytes", "4000");
  write("mount/memory/docker/1f/memory.stat",
        "inactive_file 1\ntotal_inactive_file 500");
  EXPECT_EQ(free(), 3500);
}

TEST_F(Cgroups, AreWithoutLimitWhereThereAreNone) {
  EXPECT_EQ(free(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(cpus(), 0);
  write("self", "nonsense");
  EXPECT_EQ(cpus(), 0);
}

}  // namespace
}  // namespace calotype
