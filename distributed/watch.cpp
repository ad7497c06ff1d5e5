#include "distributed/watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"

namespace calotype {
namespace {

using namespace std::chrono_literals;
using Store = c10::intrusive_ptr<c10d::Store>;

constexpr auto kBeat = 500ms;
// Of which one at least is seen on a machine that is busy.
constexpr auto kManyBeats = 6 * kBeat;
// A store whose machine stands still never answers.
constexpr auto kLongestAnswer = 10s;
constexpr const char* kFault = "fault";

std::vector<uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

/// The value of a key that may not be there: `get` waits for it.
std::optional<std::string> look_up(c10d::Store& store, const std::string& key) {
  if (!store.check({key})) return {};
  const auto bytes = store.get(key);
  return std::string(bytes.begin(), bytes.end());
}

std::string key_of(const char* what, int64_t rank) {
  return fmt::format("{}/{}", what, rank);
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "?";
}

/// What `ask` says, or nothing if it takes longer; it then goes on alone.
std::optional<std::string> within(std::chrono::seconds limit,
                                  std::function<std::string()> ask) {
  std::packaged_task<std::string()> task(std::move(ask));
  auto answer = task.get_future();
  std::thread(std::move(task)).detach();
  if (answer.wait_for(limit) != std::future_status::ready) return {};
  try {
    return answer.get();
  } catch (const std::exception&) {  // the store is gone
    return {};
  }
}

/// "1, 2 and 5".
std::string listed(const std::vector<int64_t>& ranks) {
  std::string text;
  for (size_t i = 0; i < ranks.size(); ++i)
    text += fmt::format("{}{}",
                        i == 0                  ? ""
                        : i + 1 == ranks.size() ? " and "
                                                : ", ",
                        ranks[i]);
  return text;
}

}  // namespace

struct Watch::State {
  ConnectStore connect;
  int64_t rank = 0, size = 1;
  std::atomic<int64_t> num_exchanges = 0;
  std::atomic<bool> ends = false;

  /// Ever again, with a connection of its own.
  void beat() const {
    try {
      const auto store = connect();
      for (int64_t count = 0; !ends; ++count) {
        store->set(key_of("beat", rank),
                   bytes_of(fmt::format("{} {}", count, num_exchanges.load())));
        std::this_thread::sleep_for(kBeat);
      }
    } catch (const std::exception&) {  // an exchange says it better
    }
  }

  std::string name_of(c10d::Store& store, int64_t other) const {
    return fmt::format("process {} of {} ({})", other, size,
                       look_up(store, key_of("here", other))
                           .value_or("its machine is not known"));
  }

  std::vector<std::string> beats(c10d::Store& store) const {
    std::vector<std::string> found;
    for (int64_t other = 0; other < size; ++other)
      found.push_back(look_up(store, key_of("beat", other)).value_or(""));
    return found;
  }

  /// Empty if nobody is.
  std::string who_left(c10d::Store& store) const {
    for (int64_t other = 0; other < size; ++other)
      if (other != rank)
        if (const auto why = look_up(store, key_of("left", other)))
          return fmt::format("{} ended: {}", name_of(store, other), *why);
    return "";
  }

  /// What others know already; empty if nothing.
  std::string said(c10d::Store& store) const {
    auto left = who_left(store);
    return left.empty() ? look_up(store, kFault).value_or("") : left;
  }

  /// Who finds the one at fault ends, and must not be taken for it by those
  /// who look later: all say what the first one found.
  std::string who_failed() const {
    const auto store = connect();
    auto who = who_failed(*store);
    if (!who.empty()) store->set(kFault, bytes_of(who));
    return who;
  }

  std::string who_failed(c10d::Store& store) const {
    if (auto found = said(store); !found.empty()) return found;
    const auto before = beats(store);
    std::this_thread::sleep_for(kManyBeats);
    if (auto found = said(store); !found.empty()) return found;
    const auto now = beats(store);
    for (int64_t other = 0; other < size; ++other)
      if (other != rank && now[size_t(other)] == before[size_t(other)])
        return name_of(store, other) +
               " does not live: it was killed or stopped, or its machine "
               "cannot be reached";
    const auto exchanges = [](const std::string& beat) {
      return std::strtoll(beat.c_str() + std::min(beat.find(' '), beat.size()),
                          nullptr, 10);
    };
    for (int64_t other = 0; other < size; ++other)
      if (exchanges(now[size_t(other)]) < num_exchanges)
        return name_of(store, other) +
               " lives, but did not come to an exchange in time (--timeout)";
    return "";
  }
};

Watch::Watch(ConnectStore connect, int64_t rank, int64_t size, double timeout_s)
    : state_(std::make_shared<State>()) {
  state_->connect = std::move(connect);
  state_->rank = rank;
  state_->size = size;
  const auto store = state_->connect();
  store->set(key_of("here", rank),
             bytes_of(fmt::format("{}, pid {}", host_name(), getpid())));
  std::thread([state = state_] { state->beat(); }).detach();
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration<double>(timeout_s);
  for (;;) {
    std::vector<int64_t> missing;
    for (int64_t other = 0; other < size; ++other)
      if (!store->check({key_of("here", other)})) missing.push_back(other);
    if (missing.empty()) return;
    if (auto left = state_->who_left(*store); !left.empty()) {
      state_->ends = true;
      throw ProcessError(left);
    }
    if (std::chrono::steady_clock::now() > end) {
      state_->ends = true;
      throw ProcessError(fmt::format(
          "process{} {} of {} did not come within {:.0f} s "
          "(--timeout): not started, or not able to reach the "
          "store",
          missing.size() > 1 ? "es" : "", listed(missing), size, timeout_s));
    }
    std::this_thread::sleep_for(50ms);
  }
}

Watch::~Watch() {
  state_->ends = true;
}

void Watch::count_exchange() {
  ++state_->num_exchanges;
}

void Watch::leave(const std::string& why) {
  within(kLongestAnswer, [state = state_, why] {
    state->connect()->set(key_of("left", state->rank), bytes_of(why));
    return std::string();
  });
}

std::string Watch::who_failed() const {
  const auto answer =
      within(kLongestAnswer, [state = state_] { return state->who_failed(); });
  return answer.value_or(
      "the store where processes meet does not answer: process 0, or "
      "torchrun's agent on its machine, is gone or stopped");
}

}  // namespace calotype
