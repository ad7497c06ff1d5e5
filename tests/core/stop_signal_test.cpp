#include "core/stop_signal.h"

#include <gtest/gtest.h>

#include <csignal>

#include "core/error.h"
#include "tests/core/child_process.h"

namespace calotype {
namespace {

// Asks this process to stop; the exit code of a program that obeys.
int obey(int signal_number) {
  install_stop_signals();
  throw_if_stopped();  // nothing has asked yet
  std::raise(signal_number);
  try {
    throw_if_stopped();
  } catch (const Interrupted& stop) {
    return stop_requested() == stop.signal ? 128 + stop.signal : 1;
  }
  return 0;
}

TEST(StopSignal, TheFirstSignalOnlyAsks) {
  EXPECT_EQ(exit_code_of_child([] { return obey(SIGINT); }), 130);
  EXPECT_EQ(exit_code_of_child([] { return obey(SIGTERM); }), 143);
  EXPECT_EQ(exit_code_of_child([] { return obey(SIGHUP); }), 129);
}

TEST(StopSignal, TheSecondEndsTheProcess) {
  const auto twice = [] {
    install_stop_signals();
    std::raise(SIGTERM);
    std::raise(SIGTERM);
    return 0;
  };
  EXPECT_EQ(exit_code_of_child(twice), 128 + SIGTERM);  // 0 if it lived on
}

TEST(StopSignal, NothingIsRequestedUnasked) {
  EXPECT_EQ(stop_requested(), 0);
  EXPECT_NO_THROW(throw_if_stopped());
}

}  // namespace
}  // namespace calotype
