#include "tools/verify_report.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <system_error>

#include "core/progress.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBaseMemory_bytes = uint64_t{16} << 30;
constexpr uint64_t kBaseCpu_s = 3600;
// A shard is mapped, and its numbers are widened and compared.
constexpr uint64_t kCopiesOfShard = 32;
// Range-coded tokens, the slowest, take a tenth of a second a megabyte.
constexpr uint64_t kSlowest_bytes_per_s = 1'000'000;

/// What a sanitizer or a driver reserves counts, though nobody asked for it.
uint64_t address_space_bytes() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * uint64_t(::sysconf(_SC_PAGESIZE));
}

std::string what_ended(int status, const VerifyLimits& limits) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
    return fmt::format(
        "checking it was stopped by its own limit of {} of CPU time: nothing "
        "is known of the rest",
        duration_text(double(limits.cpu_s)));
  if (WIFEXITED(status) && WEXITSTATUS(status) == kVerifyOutOfMemory)
    return fmt::format(
        "checking it was stopped by its own limit of {} of memory: nothing is "
        "known of the rest",
        bytes_text(double(limits.memory_bytes)));
  return fmt::format("checking it ended with {}: the store is damaged",
                     WIFSIGNALED(status)
                         ? fmt::format("signal {}", WTERMSIG(status))
                         : "an error");
}

}  // namespace

Json verify_report(const StoreReport& report) {
  return {{"shards", report.num_shards}, {"rows", report.num_rows},
          {"complete", report.complete}, {"sound", report.problems.empty()},
          {"problems", report.problems}, {"notes", report.notes}};
}

VerifyLimits verify_limits(const fs::path& store) {
  uint64_t total = 0, largest = 0;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(store, ignored)) {
    const auto bytes = file.file_size(ignored);
    if (ignored) continue;
    total += bytes;
    largest = std::max(largest, uint64_t(bytes));
  }
  return {.memory_bytes = address_space_bytes() + kBaseMemory_bytes +
                          kCopiesOfShard * largest,
          .cpu_s = kBaseCpu_s + total / kSlowest_bytes_per_s};
}

Json verify_failure(int status, const VerifyLimits& limits) {
  return verify_report({.problems = {what_ended(status, limits)}});
}

}  // namespace calotype
