#pragma once

#include <stdexcept>

namespace calotype {

/// What the user asked for cannot be done (exit code 2): an option, a key of a
/// configuration, a path that is not there, a full disk.
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file is not what it should be (exit code 3).
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A caller's bug: a tensor of the wrong shape or type (exit code 1).
struct ShapeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A computation left the numbers: NaN or infinity in a loss or gradient (exit
/// code 1).
struct NumericError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Another process of the same work failed, is gone or did not come in time
/// (exit code 1); says which.
struct ProcessError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// SIGINT, SIGTERM or SIGHUP was obeyed and the state is saved (exit code 128 +
/// signal).
struct Interrupted : std::runtime_error {
  explicit Interrupted(int signal_number)
      : std::runtime_error("stopped by a signal"), signal(signal_number) {}
  int signal;
};

/// Whether memory was asked for that is not there: the standard library's word
/// for it, or LibTorch's.
bool is_out_of_memory(const std::exception& error);

}  // namespace calotype
