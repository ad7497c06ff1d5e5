// Loaded before the C library (LD_PRELOAD): locks that succeed and lock
// nothing, and files that take a while to reach the disk, as on some file
// systems that machines share.
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {

int flock(int, int) noexcept {
  return 0;
}

int fsync(int descriptor) {
  usleep(20000);
  return int(syscall(SYS_fsync, descriptor));
}

}  // extern "C"
