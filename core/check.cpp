#include "core/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"

namespace calotype {
namespace {

std::string pattern_text(std::initializer_list<int64_t> expected) {
  std::string text = "[";
  for (const auto size : expected) {
    if (text.size() > 1) text += ", ";
    text += size < 0 ? "*" : std::to_string(size);
  }
  return text + "]";
}

}  // namespace

std::string shape_text(at::IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes.begin(), sizes.end(), ", "));
}

void check_shape(std::string_view where, std::string_view what,
                 const at::Tensor& tensor,
                 std::initializer_list<int64_t> expected) {
  const auto fail = [&](const std::string& got) {
    throw ShapeError(fmt::format("{}: {} must be {}, got {}", where, what,
                                 pattern_text(expected), got));
  };
  if (!tensor.defined()) fail("nothing");
  const auto sizes = tensor.sizes();
  const bool fits = std::equal(
      sizes.begin(), sizes.end(), expected.begin(), expected.end(),
      [](int64_t got, int64_t want) { return want < 0 || got == want; });
  if (!fits) fail(shape_text(sizes));
}

void check_range(std::string_view where, std::string_view what, double value,
                 double low, double high) {
  if (value >= low && value <= high) return;  // false for NaN
  throw ConfigError(fmt::format("{}: {} must be in [{}, {}], got {}", where,
                                what, low, high, value));
}

void check_one_of(std::string_view where, std::string_view what,
                  std::string_view value,
                  std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  throw ConfigError(fmt::format("{}: {} must be one of {}, got {}", where, what,
                                fmt::join(allowed, ", "), value));
}

}  // namespace calotype
