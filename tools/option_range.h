#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <concepts>
#include <string>

namespace calotype {

/// Takes numbers for which `is_in` holds. Help and refusals name them by
/// `range` as it is written, where CLI11's own checks print doubles with all
/// their digits.
template <class T, class IsIn>
CLI::Validator number_in(const std::string& range, IsIn is_in) {
  return {[=](std::string& text) -> std::string {
            T value{};
            if (CLI::detail::lexical_cast(text, value) && is_in(value))
              return "";
            return fmt::format("must be a {}number {}, got {}",
                               std::integral<T> ? "whole " : "", range, text);
          },
          range};
}

/// From `low` to `high`.
template <class T>
CLI::Validator in_range(T low, T high) {
  return number_in<T>(fmt::format("from {} to {}", low, high),
                      [=](T value) { return value >= low && value <= high; });
}

/// From `low` on.
template <class T>
CLI::Validator at_least(T low) {
  return number_in<T>(fmt::format("from {}", low),
                      [=](T value) { return value >= low; });
}

}  // namespace calotype
