#pragma once

#include <string>

namespace calotype {

/// The explorer's page, whole: markup, style, and the modules of
/// explorer/page/, which it imports from itself.
std::string explorer_page();

/// The family of autoencoders on points of the plane, which learn in the page.
std::string toy_page();

}  // namespace calotype
