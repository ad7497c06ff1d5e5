#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calotype {

/// The number from 0 on that is all of `text`.
std::optional<int64_t> whole_number(std::string_view text);

/// Whether `text` has a brace list or a wildcard in it.
bool is_pattern(const std::string& text);

/// What a pattern stands for, in order: "part-{000..127}.tar" a range, with as
/// many digits; "{a,b}.tar" a list; both may be nested, as in shells. Throws
/// ConfigError for more than 100,000.
std::vector<std::string> expand_braces(const std::string& pattern);

/// The paths that a pattern with "*", "?" or "[...]" matches, in the order of
/// their bytes.
std::vector<std::string> expand_wildcards(const std::string& pattern);

/// Several specs as one: "{a,b}". Throws ConfigError for one that cannot stand
/// in a list.
std::string join_specs(const std::vector<std::string>& specs);

}  // namespace calotype
