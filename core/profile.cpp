#include "core/profile.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/runtime.h"

namespace calotype {
namespace {

struct Spent {
  double seconds = 0;
  int64_t times = 0;
};
using Zones = std::map<std::string, Spent>;

struct ProfileState {
  std::mutex mutex;
  std::thread::id caller;
  double begin_s = 0, network_s = 0;
  Zones own, beside;
};

ProfileState& profile_state() {
  static ProfileState one;
  return one;
}

std::atomic<double> operations = 0;
thread_local ProfileZone* innermost = nullptr;

/// The longest first.
Json zone_list(const Zones& zones, double all_s) {
  std::vector<std::pair<std::string, Spent>> sorted(zones.begin(), zones.end());
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) {
    return a.second.seconds > b.second.seconds;
  });
  auto list = Json::array();
  for (const auto& [name, spent] : sorted) {
    Json line{{"zone", name}, {"seconds", spent.seconds}};
    if (all_s > 0) line["share"] = spent.seconds / all_s;
    line["times"] = spent.times;
    list.push_back(line);
  }
  return list;
}

}  // namespace

void begin_profile() {
  auto& all = profile_state();
  const std::lock_guard lock(all.mutex);
  all.caller = std::this_thread::get_id();
  all.begin_s = monotonic_s();
  all.network_s = 0;
  all.own.clear();
  all.beside.clear();
  operations = 0;
  profile_detail::is_on = true;
}

void ProfileZone::begin(const char* name, ZoneKind kind) {
  name_ = name;
  kind_ = kind;
  outer_ = std::exchange(innermost, this);
  begin_s_ = monotonic_s();
}

void ProfileZone::end() {
  const double took = monotonic_s() - begin_s_;
  innermost = outer_;
  if (outer_) outer_->inside_s_ += took;
  auto& all = profile_state();
  const std::lock_guard lock(all.mutex);
  const bool is_own = std::this_thread::get_id() == all.caller;
  auto& spent = (is_own ? all.own : all.beside)[name_];
  spent.seconds += took - inside_s_;
  ++spent.times;
  if (is_own && kind_ == ZoneKind::kNetwork) all.network_s += took - inside_s_;
}

void count_operations(double count) {
  if (is_profiling()) operations.fetch_add(count, std::memory_order_relaxed);
}

Profile end_profile() {
  profile_detail::is_on = false;
  auto& all = profile_state();
  const std::lock_guard lock(all.mutex);
  const double all_s = monotonic_s() - all.begin_s;
  double rest = all_s;
  for (const auto& [name, spent] : all.own) rest -= spent.seconds;
  auto own = all.own;
  own["other"] = {.seconds = std::max(0.0, rest), .times = 1};
  Profile found{.json = {{"seconds", all_s}, {"zones", zone_list(own, all_s)}}};
  if (!all.beside.empty()) found.json["beside"] = zone_list(all.beside, 0);
  if (all.network_s > 0) found.operations_per_s = operations / all.network_s;
  return found;
}

}  // namespace calotype
