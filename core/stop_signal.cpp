#include "core/stop_signal.h"

#include <atomic>
#include <csignal>

#include "core/error.h"

namespace calotype {
namespace {

// Set in a signal's handler and read by the threads that work.
std::atomic<int> requested = 0;
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal_number) {
  requested = signal_number;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void install_stop_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old {};
    if (sigaction(number, nullptr, &old) == 0 && old.sa_handler == SIG_IGN)
      continue;
    struct sigaction action {};
    action.sa_handler = on_signal;  // without SA_RESTART: reading a pipe stops
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, nullptr);
  }
}

int stop_requested() {
  return requested;
}

void throw_if_stopped() {
  if (const int signal_number = requested) throw Interrupted(signal_number);
}

}  // namespace calotype
