#pragma once

#include <string>
#include <string_view>

namespace calotype {

/// `text` as one line of UTF-8: other bytes and control characters become
/// "\xHH", as printable() writes them; what it has written already stays.
std::string one_line(std::string_view text);

/// How the program ends where something was thrown.
struct Failure {
  std::string text;  // one line of UTF-8
  int code = 1;      // 2: cannot be done as asked, 3: a file is bad, 128 + n:
                     // signal n, 1: all else
};

/// Of the exception that is being handled: to be called in a catch block.
Failure current_failure();

}  // namespace calotype
