#include "core/stop_signal.h"

#include <algorithm>
#include <atomic>
#include <csignal>

#include "core/error.h"
#include "core/process_group.h"

namespace calotype {
namespace {

// Set in a signal's handler and read by the threads that work.
std::atomic<int> requested = 0;
static_assert(std::atomic<int>::is_always_lock_free);

std::atomic<bool> save = false;
thread_local bool agrees = false;

void on_save_signal(int) {
  save = true;
}

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

void install_save_signal() {
  struct sigaction action {};
  action.sa_handler = on_save_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGUSR1, &action, nullptr);
}

bool take_save_request() {
  return save.exchange(false);
}

int stop_requested() {
  auto* const group = agrees ? current_process_group() : nullptr;
  if (!group) return requested;
  const auto all = group->all_of(uint64_t(requested.load()));
  return int(*std::max_element(all.begin(), all.end()));
}

void throw_if_stopped() {
  if (const int signal_number = stop_requested())
    throw Interrupted(signal_number);
}

AgreedStops::AgreedStops() {
  agrees = true;
}
AgreedStops::~AgreedStops() {
  agrees = false;
}

}  // namespace calotype
