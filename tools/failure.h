#pragma once

#include <string>

namespace calotype {

/// How the program ends where something was thrown.
struct Failure {
  std::string text;  // one line of UTF-8
  int code = 1;      // 2: cannot be done as asked, 3: a file is bad, 128 + n:
                     // signal n, 1: all else
};

/// Of the exception that is being handled: to be called in a catch block.
Failure current_failure();

}  // namespace calotype
