#include "core/stop_signal.h"

#include <gtest/gtest.h>
#include <unistd.h>

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

TEST(StopSignal, WhatIsIgnoredStaysIgnored) {
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) {
    const auto raised = [&] {
      std::signal(number, SIG_IGN);  // as nohup does
      install_stop_signals();
      std::raise(number);
      std::raise(number);
      return stop_requested();
    };
    EXPECT_EQ(exit_code_of_child(raised), 0) << number;
  }
}

TEST(StopSignal, WakesAProcessThatWaits) {
  const auto woken = [] {
    install_stop_signals();
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    ::alarm(20);  // would end it
    const pid_t parent = ::getpid();
    if (::fork() == 0) {
      ::usleep(200'000);
      ::kill(parent, SIGTERM);
      ::_exit(0);
    }
    char byte = 0;
    const auto got = ::read(ends[0], &byte, 1);  // nothing will come
    return got < 0 && stop_requested() == SIGTERM ? 0 : 1;
  };
  EXPECT_EQ(exit_code_of_child(woken), 0);
}

TEST(StopSignal, NothingIsRequestedUnasked) {
  EXPECT_EQ(stop_requested(), 0);
  EXPECT_NO_THROW(throw_if_stopped());
}

}  // namespace
}  // namespace calotype
