#pragma once

#include <string>
#include <vector>

// What the program does that was not asked for in so many words.
namespace calotype {

/// Says `text`, which is one line, on stderr: what was guessed, left out,
/// renamed or converted. The same text is said once until it is taken.
void note(const std::string& text);

/// All that was noted since the last call, in order.
std::vector<std::string> take_notes();

}  // namespace calotype
