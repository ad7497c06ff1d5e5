#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string>

namespace calotype {

struct RuntimeOptions {
  int num_threads = 0;          // 0: as many as the process may use
  std::string device = "auto";  // auto, cpu, cuda, cuda:N
};

/// The CPUs that this process may use: its affinity mask, cut by the quotas of
/// its control groups (containers), at least 1.
int num_usable_cpus();

/// The same for processes on one machine, and for those of them that may use
/// the same CPUs.
uint64_t machine_identity();
uint64_t usable_cpus_identity();

/// LibTorch's loops of this process, from now on.
void use_threads(int num_threads);

/// Sets threads, memory allocation and rounding for the whole process, and
/// picks the device. LibTorch's own default is one thread on Debian. Throws
/// ConfigError for a device that is not there.
c10::Device set_up_runtime(const RuntimeOptions& options);

/// fp32, fp16 or bf16, as stored in files and named on the command line.
c10::ScalarType parse_dtype(const std::string& name);
std::string dtype_name(c10::ScalarType type);

/// The largest resident set so far, in bytes.
int64_t peak_memory_bytes();

/// Seconds on a clock that never jumps.
double monotonic_s();

/// "calotype 0.1.0, LibTorch 1.13.1".
std::string version_text();

}  // namespace calotype
