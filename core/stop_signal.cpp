#include "core/stop_signal.h"

#include <csignal>

#include "core/error.h"

namespace calotype {
namespace {

volatile std::sig_atomic_t requested = 0;

void on_signal(int signal_number) {
  requested = signal_number;
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void install_stop_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    std::signal(number, on_signal);
}

int stop_requested() {
  return requested;
}

void throw_if_stopped() {
  if (requested) throw Interrupted(requested);
}

}  // namespace calotype
