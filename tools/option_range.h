#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>

namespace calotype {

/// Takes numbers from `low` to `high`. Help and refusals show the bounds as
/// they are written here, where CLI11's own print doubles with all their
/// digits.
template <class T>
CLI::Validator in_range(T low, T high) {
  return {[=](std::string& text) -> std::string {
            T value{};
            if (CLI::detail::lexical_cast(text, value) && value >= low &&
                value <= high)
              return "";
            return fmt::format("must be {} to {}, got {}", low, high, text);
          },
          fmt::format("{} to {}", low, high)};
}

/// Takes numbers from `low` on.
template <class T>
CLI::Validator at_least(T low) {
  return {[=](std::string& text) -> std::string {
            T value{};
            if (CLI::detail::lexical_cast(text, value) && value >= low)
              return "";
            return fmt::format("must be at least {}, got {}", low, text);
          },
          fmt::format("from {}", low)};
}

}  // namespace calotype
