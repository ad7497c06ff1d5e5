#include "core/runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <malloc.h>
#include <omp.h>
#include <sched.h>
#include <sys/resource.h>
#include <torch/cuda.h>
#include <torch/version.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/cgroup.h"
#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/note.h"
#include "core/version.h"

namespace calotype {
namespace {

/// The affinity mask, however many CPUs the machine has; empty if nobody says.
std::vector<cpu_set_t> allowed_cpus() {
  constexpr int kMostCpus = 1 << 20;
  for (int size = CPU_SETSIZE; size <= kMostCpus; size *= 2) {
    std::vector<cpu_set_t> masks(size_t(size) / CPU_SETSIZE);
    if (sched_getaffinity(0, masks.size() * sizeof(cpu_set_t), masks.data()) ==
        0)
      return masks;
    if (errno != EINVAL) break;  // else the kernel's mask is larger
  }
  return {};
}

int num_allowed_cpus() {
  const auto masks = allowed_cpus();
  return masks.empty()
             ? 1
             : CPU_COUNT_S(masks.size() * sizeof(cpu_set_t), masks.data());
}

/// glibc gives large blocks back to the system at each free, so that each
/// step's tensors are paged in anew: 7 to 15 % of a training step
/// (bench/README.md). Not the largest: layers on large images cost more than
/// paging, and blocks of many sizes leave gaps that were as large as what was
/// in use (decoding 256x256: 2.2 GiB of 1.3).
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  mallopt(M_TOP_PAD, 64 << 20);
}

/// What `text` says, if it is a number and nothing else.
std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ptr != end || result.ec != std::errc()) return {};
  return number;
}

c10::Device pick_device(const std::string& name) {
  const auto num_gpus = int(torch::cuda::device_count());
  if (name == "auto") return num_gpus > 0 ? c10::kCUDA : c10::kCPU;
  if (name == "cpu") return c10::kCPU;
  const auto number = name == "cuda" ? std::optional(0)
                      : name.starts_with("cuda:")
                          ? whole_number(std::string_view(name).substr(5))
                          : std::nullopt;
  if (!number || *number < 0)
    throw ConfigError(fmt::format(
        "--device: expected auto, cpu, cuda or cuda:N, got {}", name));
  if (*number >= num_gpus)
    throw ConfigError(fmt::format(
        "--device: {} is not available; this machine has cpu{}", name,
        num_gpus > 0 ? fmt::format(" and cuda:0 to cuda:{}", num_gpus - 1)
                     : ""));
  return name == "cuda" ? c10::Device(c10::kCUDA)
                        : c10::Device(c10::kCUDA, c10::DeviceIndex(*number));
}

}  // namespace

int num_usable_cpus() {
  int count = num_allowed_cpus();
  if (const double quota = cgroup_cpus(); quota > 0)
    count = std::min(count, int(std::ceil(quota)));
  return std::max(count, 1);
}

uint64_t machine_identity() {
  std::error_code ignored;
  const auto boot = std::filesystem::path("/proc/sys/kernel/random/boot_id");
  return std::filesystem::exists(boot, ignored) ? xxh64(read_text_file(boot))
                                                : 0;
}

uint64_t usable_cpus_identity() {
  auto text = hex64(machine_identity());
  const auto masks = allowed_cpus();
  text.append(reinterpret_cast<const char*>(masks.data()),
              masks.size() * sizeof(cpu_set_t));
  return xxh64(text);
}

void use_threads(int num_threads) {
  at::set_num_threads(num_threads);
}

c10::Device set_up_runtime(const RuntimeOptions& options) {
  if (options.num_threads < 0 || options.num_threads > 1024)
    throw ConfigError(fmt::format("--threads: expected 0 to 1024, got {}",
                                  options.num_threads));
  keep_freed_memory();
  auto num_threads =
      options.num_threads > 0 ? options.num_threads : num_usable_cpus();
  // oneDNN's threads wait for one another, and would for one that may not be.
  if (const int limit = omp_get_thread_limit(); num_threads > limit) {
    note(fmt::format("--threads is {}, as OMP_THREAD_LIMIT says, not {}", limit,
                     num_threads));
    num_threads = limit;
  }
  at::set_num_threads(num_threads);
  // Numbers below 1e-38 cost a hundred times a normal one and change nothing.
  at::globalContext().setFlushDenormal(true);
  return pick_device(options.device);
}

c10::ScalarType parse_dtype(const std::string& name) {
  if (name == "fp32") return c10::kFloat;
  if (name == "fp16") return c10::kHalf;
  if (name == "bf16") return c10::kBFloat16;
  throw ConfigError(
      fmt::format("dtype: expected fp32, fp16 or bf16, got {}", name));
}

std::string dtype_name(c10::ScalarType type) {
  switch (type) {
    case c10::kFloat:
      return "fp32";
    case c10::kHalf:
      return "fp16";
    case c10::kBFloat16:
      return "bf16";
    default:
      return c10::toString(type);
  }
}

int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t(usage.ru_maxrss) * 1024;
}

double monotonic_s() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string version_text() {
  return fmt::format("calotype {}, LibTorch {}", kVersion, TORCH_VERSION);
}

}  // namespace calotype
