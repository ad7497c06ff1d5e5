#pragma once

#include <atomic>
#include <cstdint>

#include "core/config.h"

// Where the time of a call goes (--profile). Costs one branch where it is off.
namespace calotype {

namespace profile_detail {
inline std::atomic<bool> is_on = false;
}

/// From now on zones are timed and operations counted; this thread's zones are
/// those of the call itself, others run beside it.
void begin_profile();
inline bool is_profiling() {
  return profile_detail::is_on.load(std::memory_order_relaxed);
}

enum class ZoneKind {
  kWork,
  kNetwork  // what count_operations() is told of is done in such
};

/// While it lives, time of this thread counts for `name`, a literal; that of a
/// zone inside it for that one alone, so that zones add up to the whole.
class ProfileZone {
 public:
  explicit ProfileZone(const char* name, ZoneKind kind = ZoneKind::kWork) {
    if (is_profiling()) begin(name, kind);
  }
  ~ProfileZone() {
    if (name_) end();
  }
  ProfileZone(const ProfileZone&) = delete;
  ProfileZone& operator=(const ProfileZone&) = delete;

 private:
  void begin(const char* name, ZoneKind kind);
  void end();

  const char* name_ = nullptr;
  ZoneKind kind_ = ZoneKind::kWork;
  double begin_s_ = 0, inside_s_ = 0;
  ProfileZone* outer_ = nullptr;
};

/// Floating-point operations of a matrix product or a convolution, on whichever
/// thread; an addition and a multiplication are two.
void count_operations(double count);

/// What was found since begin_profile(): seconds in all, of each zone of the
/// calling thread (share of all, times) and of zones beside it, the rest, and
/// operations a second of network zones, 0 if none.
struct Profile {
  Json json;
  double operations_per_s = 0;
};
Profile end_profile();

}  // namespace calotype
