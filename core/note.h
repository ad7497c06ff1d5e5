#pragma once

#include <string>
#include <vector>

// What the program does that was not asked for in so many words.
namespace calotype {

/// Says `text`, which is one line, on stderr, once however often it is called
/// with it: what was guessed, left out, renamed or converted.
void note(const std::string& text);

/// All that was noted so far, in order.
std::vector<std::string> notes();

}  // namespace calotype
