#pragma once

#include <cstdio>
// jpeglib.h wants FILE from the line above.
#include <jpeglib.h>

#include <csetjmp>

// libjpeg knows no exceptions: it calls a function that must not return, and
// this is how ours goes back to where exceptions may be thrown.
namespace calotype {

struct JpegErrors {
  jpeg_error_mgr base{};
  std::jmp_buf way_out{};
  char message[JMSG_LENGTH_MAX]{};  // why the library gave up
};

/// libjpeg's error_exit: keeps the message and jumps out.
[[noreturn]] inline void leave_jpeg(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  errors->base.format_message(info, errors->message);
  std::longjmp(errors->way_out, 1);
}

/// The same with a reason of ours.
[[noreturn]] inline void leave_jpeg(j_common_ptr info, const char* why) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  std::snprintf(errors->message, sizeof errors->message, "%s", why);
  std::longjmp(errors->way_out, 1);
}

/// False, with a message in `errors`, if the library gives up within `step`,
/// which must hold nothing that a jump out of it would fail to destroy.
/// Not inlined, so that no caller's variable lives across setjmp.
template <class Step>
[[gnu::noinline]] bool jpeg_does(JpegErrors& errors, const Step& step) {
  if (setjmp(errors.way_out) != 0) return false;
  step();
  return true;
}

}  // namespace calotype
