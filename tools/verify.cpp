#include "tools/verify.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "core/error.h"
#include "datasets/latent_store.h"
#include "tools/verify_report.h"

namespace calotype {
namespace {

void limit(int resource, rlim_t value) {
  const rlimit limits{value, value};
  setrlimit(resource, &limits);
}

/// The report, or the end if it takes more than it may.
std::string report_within(const std::filesystem::path& store) try {
  return verify_report(verify_store(store))
      .dump(-1, ' ', false, Json::error_handler_t::replace);
} catch (const std::bad_alloc&) {
  _exit(kVerifyOutOfMemory);
}

/// The child's half: the report as JSON into the pipe, then the end.
[[noreturn]] void run_child(const std::filesystem::path& store, int out,
                            const VerifyLimits& limits) {
  limit(RLIMIT_AS, limits.memory_bytes);
  limit(RLIMIT_CPU, limits.cpu_s);
  limit(RLIMIT_CORE, 0);
  const auto text = report_within(store);
  for (size_t at = 0; at < text.size();) {
    const auto written = ::write(out, text.data() + at, text.size() - at);
    if (written <= 0) _exit(1);
    at += size_t(written);
  }
  _exit(0);
}

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

}  // namespace

Json verify(const std::filesystem::path& store) {
  if (!std::filesystem::exists(store / "store.json"))
    throw ConfigError(store.string() +
                      ": not a latent store, it has no store.json");
  const auto limits = verify_limits(store);
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0)
    throw std::runtime_error("verify: cannot make a pipe");
  // OpenMP's threads do not survive a fork; the child uses none.
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("verify: cannot start a process");
  if (child == 0) {
    ::close(pipe_ends[0]);
    run_child(store, pipe_ends[1], limits);
  }
  ::close(pipe_ends[1]);
  const auto text = read_all(pipe_ends[0]);
  ::close(pipe_ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  auto report = ended_well ? Json::parse(text, nullptr, false) : Json();
  if (!report.is_object()) report = verify_failure(status, limits);
  Json result{{"store", store.string()}};
  result.update(report);
  return result;
}

}  // namespace calotype
