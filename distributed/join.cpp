#include "distributed/join.h"

#include <fmt/format.h>
#include <torch/types.h>
#include <torch/version.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "core/profile.h"

#ifdef CALOTYPE_HAS_GLOO
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "distributed/own_address.h"
#include "distributed/watch.h"
#endif

namespace calotype {

#ifdef CALOTYPE_HAS_GLOO

namespace {

using at::Tensor;
using Milliseconds = std::chrono::milliseconds;
using Engine = c10d::ProcessGroupGloo;

// Of a process, of what it sums up in one go: as much again is held while it
// travels.
constexpr int64_t kNumbersAtOnce = int64_t{1} << 22;

Milliseconds milliseconds(double seconds) {
  return Milliseconds(int64_t(seconds * 1000));
}

std::string text_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  std::string text = torch ? torch->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

/// The server that every build of LibTorch has: 2.x asks for libuv's, which
/// Debian's is built without. Clients are the same for both.
void leave_libuv_out(auto& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

/// A connection to the store; `serves`: this process keeps it.
c10::intrusive_ptr<c10d::Store> connect(const Launch& launch, double timeout_s,
                                        bool serves) {
  c10d::TCPStoreOptions options;
  leave_libuv_out(options);
  options.port = uint16_t(launch.port);
  options.isServer = serves;
  options.waitWorkers = false;  // Watch does, and says who is missing
  options.timeout = milliseconds(timeout_s);
  return c10::make_intrusive<c10d::TCPStore>(launch.address, options);
}

/// c10d would say it in three lines of its own.
void expect_free(const Launch& launch) {
  const int listening = socket(AF_INET6, SOCK_STREAM, 0);
  if (listening < 0) return;
  const int yes = 1, no = 0;
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  setsockopt(listening, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(uint16_t(launch.port));
  const bool taken =
      bind(listening, reinterpret_cast<sockaddr*>(&any), sizeof(any)) != 0 &&
      errno == EADDRINUSE;
  close(listening);
  if (taken)
    throw ConfigError(
        fmt::format("MASTER_PORT={}: another program of this machine has that "
                    "port; name another",
                    launch.port));
}

[[noreturn]] void fail_to_connect(const Launch& launch, bool serves,
                                  const std::exception& error) {
  const auto where = fmt::format("{}:{}", launch.address, launch.port);
  if (serves)
    throw ConfigError(fmt::format(
        "{}: the store where processes meet cannot be opened there ({}); "
        "MASTER_PORT names another port",
        where, text_of(error)));
  throw ProcessError(fmt::format(
      "{}: {} does not answer there ({})", where,
      launch.agent_serves
          ? fmt::format("torchrun's agent, which must be of this LibTorch's "
                        "version, {},",
                        TORCH_VERSION)
          : "process 0",
      text_of(error)));
}

std::shared_ptr<::gloo::transport::Device> device_for(const Launch& launch) {
  if (const auto name = environment_variable("GLOO_SOCKET_IFNAME"))
    return Engine::createDeviceForInterface(name->substr(0, name->find(',')));
  return Engine::createDeviceForHostname(
      launch.local_size == launch.size ? "127.0.0.1"
                                       : own_address_towards(launch.address));
}

class GlooGroup : public JoinedGroup {
 public:
  GlooGroup(const Launch& launch, double timeout_s)
      : rank_(launch.rank), size_(launch.size) {
    const bool serves = launch.rank == 0 && !launch.agent_serves;
    if (serves) expect_free(launch);
    try {
      store_ = connect(launch, timeout_s, serves);
    } catch (const std::exception& error) {
      fail_to_connect(launch, serves, error);
    }
    // What an attempt before this one has left there is not for us.
    const auto prefix = fmt::format("calotype/{}", launch.attempt);
    const auto connect_again = [launch, timeout_s, prefix] {
      return c10::intrusive_ptr<c10d::Store>(
          c10::make_intrusive<c10d::PrefixStore>(
              prefix, connect(launch, timeout_s, false)));
    };
    try {
      watch_ = std::make_unique<Watch>(connect_again, rank_, size_, timeout_s);
    } catch (const ProcessError&) {
      throw;
    } catch (const std::exception& error) {  // something else answers there
      fail_to_connect(launch, serves, error);
    }
    auto options = Engine::Options::create(milliseconds(timeout_s));
    options->threads = 2;
    options->devices = {device_for(launch)};
    exchange([&] {
      engine_ = c10::make_intrusive<Engine>(
          c10::make_intrusive<c10d::PrefixStore>(prefix + "/gloo", store_),
          int(rank_), int(size_), options);
    });
  }

  ~GlooGroup() override {
    if (failed_) {  // its threads may wait for ever
      engine_.release();
      store_.release();
      return;
    }
    try {
      all_of(0);  // the store is needed until all are here
    } catch (const std::exception&) {
    }
  }

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }

  Tensor gather_rows(const Tensor& mine,
                     const std::vector<int64_t>& counts) override {
    const auto most = *std::max_element(counts.begin(), counts.end());
    auto shape = mine.sizes().vec();
    shape[0] = most;  // Gloo gathers what has one size
    std::vector<Tensor> given = {mine.contiguous()};
    if (mine.size(0) < most) {
      given[0] = at::zeros(shape, mine.options());
      given[0].narrow(0, 0, mine.size(0)).copy_(mine);
    }
    std::vector<std::vector<Tensor>> all(1);
    for (int64_t i = 0; i < size_; ++i)
      all[0].push_back(at::empty(shape, mine.options()));
    exchange([&] { engine_->allgather(all, given)->wait(); });
    for (int64_t i = 0; i < size_; ++i)
      all[0][size_t(i)] = all[0][size_t(i)].narrow(0, 0, counts[size_t(i)]);
    return at::cat(all[0]);
  }

  /// Each process adds up its share of the numbers, and gives the sums to all.
  Tensor sum_in_order(const Tensor& mine,
                      const std::vector<int64_t>& counts) override {
    auto sum = at::empty({mine.size(1)}, mine.options());
    for (int64_t begin = 0; begin < sum.numel();
         begin += kNumbersAtOnce * size_) {
      const auto length = std::min(kNumbersAtOnce * size_, sum.numel() - begin);
      const auto share = (length + size_ - 1) / size_;
      auto part = mine.narrow(1, begin, length);
      if (length < share * size_)
        part = at::constant_pad_nd(part, {0, share * size_ - length});
      sum.narrow(0, begin, length)
          .copy_(sum_of_shares(part, share, counts).narrow(0, 0, length));
    }
    return sum;
  }

  std::function<void()> begin_sum(const Tensor& mine) override {
    auto tensors = std::make_shared<std::vector<Tensor>>(1, mine);
    c10::intrusive_ptr<c10d::Work> work;
    exchange([&] { work = engine_->allreduce(*tensors); });
    return [this, work, tensors] { exchange([&] { work->wait(); }); };
  }

  uint64_t any_bits(uint64_t mine) override {
    uint64_t bits = 0;
    for (const auto other : all_of(mine)) bits |= other;
    return bits;
  }

  std::vector<uint64_t> all_of(uint64_t mine) override {
    const auto all = gather_rows(at::full({1}, int64_t(mine), at::kLong),
                                 std::vector<int64_t>(size_t(size_), 1));
    std::vector<uint64_t> values;
    for (int64_t i = 0; i < size_; ++i)
      values.push_back(uint64_t(all.data_ptr<int64_t>()[i]));
    return values;
  }

  void leave(const std::string& why) override {
    if (!failed_) watch_->leave(why);
    failed_ = true;
  }

 private:
  /// The sums [size*share] of `part`, [counts[rank], size*share].
  Tensor sum_of_shares(const Tensor& part, int64_t share,
                       const std::vector<int64_t>& counts) {
    const auto num_rows =
        std::accumulate(counts.begin(), counts.end(), int64_t{0});
    auto sent = part.reshape({part.size(0), size_, share})
                    .transpose(0, 1)
                    .contiguous()
                    .flatten();
    auto rows = at::empty({num_rows, share}, part.options());
    auto received = rows.flatten();
    std::vector<int64_t> sends(size_t(size_), part.size(0) * share), receives;
    for (const auto count : counts) receives.push_back(count * share);
    exchange([&] {
      engine_->alltoall_base(received, sent, receives, sends)->wait();
    });
    auto sum = rows[0].clone();
    for (int64_t i = 1; i < num_rows; ++i) sum.add_(rows[i]);
    return gather_rows(sum, std::vector<int64_t>(size_t(size_), share));
  }

  template <class Exchange>
  void exchange(const Exchange& work) {
    if (failed_) throw ProcessError("another process failed before");
    const ProfileZone zone("exchange");
    watch_->count_exchange();
    try {
      work();
    } catch (const std::exception& error) {
      failed_ = true;
      const auto who = watch_->who_failed();
      throw ProcessError(who.empty() ? text_of(error) : who);
    }
  }

  int64_t rank_, size_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::unique_ptr<Watch> watch_;
  c10::intrusive_ptr<Engine> engine_;
  bool failed_ = false;
};

}  // namespace

bool can_join() {
  return true;
}

std::unique_ptr<JoinedGroup> join_group(const Launch& launch,
                                        double timeout_s) {
  return std::make_unique<GlooGroup>(launch, timeout_s);
}

#else

bool can_join() {
  return false;
}

std::unique_ptr<JoinedGroup> join_group(const Launch&, double) {
  throw ConfigError(
      "this calotype was built without Gloo (libgloo-dev), and works in one "
      "process alone");
}

#endif

}  // namespace calotype
