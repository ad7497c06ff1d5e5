#include "tools/verify.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>

#include "core/error.h"
#include "store/latent_store.h"
#include "tools/verify_report.h"

namespace calotype {
namespace {

void limit(int resource, rlim_t soft, rlim_t hard) {
  const rlimit limits{soft, hard};
  setrlimit(resource, &limits);
}

void limit(int resource, rlim_t value) {
  limit(resource, value, value);
}

/// What a process wrote, and how it ended.
struct Ended {
  std::string text;
  int status = 0;
};

std::string read_all(int in) {
  std::string text;
  char buffer[4096];
  while (true) {
    const auto got = ::read(in, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, size_t(got));
  }
}

/// Runs `program` with `arguments` and reads what it prints.
Ended run(const std::filesystem::path& program,
          std::vector<std::string> arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error("verify: cannot make a pipe");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, program.c_str(), &actions, nullptr,
                                   argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  Ended ended;
  if (failed == 0) ended.text = read_all(ends[0]);
  ::close(ends[0]);
  if (failed != 0)
    throw std::runtime_error("verify: cannot start " + program.string());
  while (::waitpid(child, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

void expect_store(const std::filesystem::path& store) {
  if (!std::filesystem::exists(store / "store.json"))
    throw ConfigError(store.string() +
                      ": not a latent store, it has no store.json");
}

Json with_path(const std::filesystem::path& store, const Json& report) {
  Json result{{"store", store.string()}};
  result.update(report);
  return result;
}

}  // namespace

Json verify(const std::filesystem::path& store) {
  expect_store(store);
  return with_path(store, verify_report(verify_store(store)));
}

Json verify_within_limits(const std::filesystem::path& store) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody would read the answer
  const auto limits = verify_limits(store);
  limit(RLIMIT_AS, limits.memory_bytes);
  // The signal that tells of this limit comes ahead of the one that kills.
  limit(RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 5);
  limit(RLIMIT_CORE, 0);
  try {
    return verify(store);
  } catch (const std::bad_alloc&) {
    ::_exit(kVerifyOutOfMemory);
  }
}

Json verify_apart(const std::filesystem::path& store,
                  const std::filesystem::path& program) {
  expect_store(store);
  // One thread, of which the limits on memory and time are.
  const auto ended =
      run(program, {"calotype", "verify", "--within-limits", "--threads", "1",
                    "--json", "--", store.string()});
  // An unsound store is an answer too.
  const bool answered =
      WIFEXITED(ended.status) &&
      (WEXITSTATUS(ended.status) == 0 || WEXITSTATUS(ended.status) == 3);
  auto report = answered ? Json::parse(ended.text, nullptr, false) : Json();
  if (!report.is_object())
    report = verify_failure(ended.status, verify_limits(store));
  report.erase("store");
  return with_path(store, report);
}

}  // namespace calotype
