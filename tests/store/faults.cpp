#include "tests/store/faults.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace calotype {
namespace {

Fault planned = Fault::kNone;
int calls_left = 0;

/// True if this call must fail; `half` does the first half of it.
template <class Half>
bool meets_fault(Half&& half) {
  if (planned == Fault::kNone || --calls_left > 0) return false;
  if (planned != Fault::kKill) half();
  if (planned != Fault::kDiskFull) raise(SIGKILL);
  calls_left = 0;
  errno = ENOSPC;
  return true;
}

bool meets_fault() {
  return meets_fault([] {});
}

}  // namespace

void plan_fault(Fault fault, int at) {
  planned = fault;
  calls_left = at;
}

}  // namespace calotype

// The linker prefers these to the C library's.
extern "C" {

ssize_t write(int descriptor, const void* data, size_t size) {
  const auto really = [&](size_t bytes) {
    return syscall(SYS_write, descriptor, data, bytes);
  };
  if (calotype::meets_fault([&] { really(size / 2); })) return -1;
  return really(size);
}

int fsync(int) {
  return calotype::meets_fault() ? -1 : 0;
}

int rename(const char* from, const char* to) noexcept {
  if (calotype::meets_fault()) return -1;
  return int(syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}

}  // extern "C"
