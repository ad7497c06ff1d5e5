#pragma once

#include <string>

#include "core/config.h"

namespace calotype {

/// A result as a person reads it: one line per number or text, keys of nested
/// objects joined by dots; numbers that have an interval under "intervals"
/// carry it at their side.
std::string result_text(const Json& result);

/// Says `note` under "note", behind what stands there.
void add_note(Json& result, const std::string& note);

/// What a result holds of a number that may be infinite or NaN, which JSON has
/// no words for: then null.
Json number_or_null(double value);

}  // namespace calotype
