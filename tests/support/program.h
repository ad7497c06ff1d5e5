#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/config.h"

namespace calotype {

/// What running the program gave.
struct Outcome {
  int code = 0;  // 128 + signal if it was killed
  std::string out, err;

  Json json() const { return Json::parse(out); }
};

/// Runs `calotype arguments...` (the program that CALOTYPE_PROGRAM names) to
/// its end. `max_file_bytes`: no file may grow beyond it, as on a full disk; 0:
/// no limit. `kill_after_s`: it is sent `signal` then; 0: never. `kill_at`: or
/// once there is this file.
struct RunOptions {
  int64_t max_file_bytes = 0;
  double kill_after_s = 0;
  std::string kill_at;
  int signal = 9;
};
Outcome run_program(const std::vector<std::string>& arguments,
                    const RunOptions& options = {});

/// The same with any program: `arguments[0]` is its path.
Outcome run_command(const std::vector<std::string>& arguments,
                    const RunOptions& options = {});

/// Text of the file in one piece; empty if it is not there.
std::string content(const std::string& path);

}  // namespace calotype
