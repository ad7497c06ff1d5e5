#pragma once

// Stands between this test program and the system: lets write, fsync and rename
// fail or the process die at a chosen one of them. Nothing is synced to the
// disk, which a kill does not need and tests would wait for.
namespace calotype {

enum class Fault {
  kNone,
  kKill,      // SIGKILL instead of the call
  kTornKill,  // half of what is to be written, then SIGKILL
  kDiskFull,  // half of it, then ENOSPC for this call and all that follow
};

/// The `at`-th call from now on (1 is the next) meets `fault`.
void plan_fault(Fault fault, int at);

}  // namespace calotype
