#include "core/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "core/error.h"

namespace calotype {
namespace {

using testing::ExitedWithCode;
using testing::KilledBySignal;

// Sends `signal_number` to this process and leaves with the exit code that an
// obeyed signal has.
[[noreturn]] void obey(int signal_number) {
  install_stop_signals();
  throw_if_stopped();  // nothing has asked yet
  std::raise(signal_number);
  try {
    throw_if_stopped();
  } catch (const Interrupted& stop) {
    std::exit(stop_requested() == stop.signal ? 128 + stop.signal : 1);
  }
  std::exit(0);
}

// A death test runs its statement in a process of its own.
TEST(StopSignalDeathTest, TheFirstSignalOnlyAsks) {
  EXPECT_EXIT(obey(SIGINT), ExitedWithCode(130), "");
  EXPECT_EXIT(obey(SIGTERM), ExitedWithCode(143), "");
  EXPECT_EXIT(obey(SIGHUP), ExitedWithCode(129), "");
}

TEST(StopSignalDeathTest, TheSecondEndsTheProcess) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        std::raise(SIGTERM);
        std::raise(SIGTERM);
      },
      KilledBySignal(SIGTERM), "");
}

TEST(StopSignal, NothingIsRequestedUnasked) {
  EXPECT_EQ(stop_requested(), 0);
  EXPECT_NO_THROW(throw_if_stopped());
}

}  // namespace
}  // namespace calotype
