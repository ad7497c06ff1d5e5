#pragma once

#include <string>
#include <vector>

// What the program does that was not asked for in so many words.
namespace calotype {

/// Says `text`, which is one line, on stderr: what was guessed, left out,
/// renamed or converted. The same text is said once until it is taken.
void note(const std::string& text);

/// What this process is called among several that do one work, and whether it
/// is the one that says what all of them would.
void name_process(const std::string& name, bool speaks);

/// Empty where there is one.
std::string process_name();

/// All that was noted since the last call, in order.
std::vector<std::string> take_notes();

}  // namespace calotype
