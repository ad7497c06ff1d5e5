#pragma once

#include <string>
#include <string_view>

namespace calotype {

/// `text` as one line of UTF-8: other bytes and control characters become
/// "\xHH", as printable() writes them; what it has written already stays.
std::string one_line(std::string_view text);

/// How the program ends; README says when.
enum ExitCode {
  kDone = 0,
  kOther = 1,
  kCannot = 2,
  kBadFile = 3,
  kSignal = 128
};

/// How it ends where something was thrown.
struct Failure {
  std::string text;   // one line of UTF-8
  int code = kOther;  // an ExitCode; of a signal, kSignal and its number
};

/// Of the exception that is being handled: to be called in a catch block.
Failure current_failure();

}  // namespace calotype
