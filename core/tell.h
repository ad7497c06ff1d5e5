#pragma once

#include <string>

namespace calotype {

/// Prints what a person must know on stderr, a line of its own; the same line
/// once in a process, since a set is opened several times.
void tell_once(const std::string& line);

}  // namespace calotype
