#pragma once

#include <string>

namespace calotype {

/// The explorer's page, whole: markup, style, and the modules of
/// explorer/page/, which it imports from itself.
std::string explorer_page();

}  // namespace calotype
