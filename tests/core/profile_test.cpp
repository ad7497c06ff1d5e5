#include "core/profile.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>

namespace calotype {
namespace {

void take(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::map<std::string, Json> by_name(const Json& zones) {
  std::map<std::string, Json> found;
  for (const auto& zone : zones) found[zone["zone"]] = zone;
  return found;
}

TEST(Profile, GivesEachMomentToTheInnermostZone) {
  begin_profile();
  {
    const ProfileZone outer("outer");
    take(20);
    for (int i = 0; i < 2; ++i) {
      const ProfileZone inner("inner", ZoneKind::kNetwork);
      count_operations(1e6);
      take(30);
    }
  }
  take(10);
  std::thread([] {
    const ProfileZone zone("elsewhere");
    take(5);
  }).join();
  const auto profile = end_profile();

  auto zones = by_name(profile.json["zones"]);
  ASSERT_EQ(zones.size(), 3);
  EXPECT_GE(zones["outer"]["seconds"], 0.02);
  EXPECT_LT(zones["outer"]["seconds"], 0.05);  // without the inner ones
  EXPECT_GE(zones["inner"]["seconds"], 0.06);
  EXPECT_EQ(zones["inner"]["times"], 2);
  EXPECT_GE(zones["other"]["seconds"], 0.01);
  double sum = 0, shares = 0;
  for (const auto& [name, zone] : zones) {
    sum += zone["seconds"].get<double>();
    shares += zone["share"].get<double>();
  }
  EXPECT_NEAR(sum, profile.json["seconds"].get<double>(), 1e-6);
  EXPECT_NEAR(shares, 1, 1e-6);
  EXPECT_EQ(by_name(profile.json["beside"]).count("elsewhere"), 1);
  const double network_s = zones["inner"]["seconds"];
  EXPECT_NEAR(profile.operations_per_s, 2e6 / network_s, 1);
}

TEST(Profile, RemembersNothingWhereItIsOff) {
  {
    const ProfileZone zone("before");
    count_operations(1e6);
  }
  begin_profile();
  auto profile = end_profile();
  EXPECT_EQ(profile.json["zones"].size(), 1);  // the rest
  EXPECT_FALSE(profile.json.contains("beside"));
  EXPECT_EQ(profile.operations_per_s, 0);
  EXPECT_FALSE(is_profiling());
}

}  // namespace
}  // namespace calotype
