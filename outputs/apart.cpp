#include "outputs/apart.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "core/printable.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// The path without links and dots, as far as it is there.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  auto found = fs::weakly_canonical(fs::absolute(path, error), error);
  return (found / "").parent_path();  // without a slash at the end
}

bool are_same(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return resolved(a) == resolved(b) || fs::equivalent(a, b, error);
}

bool is_inside(const fs::path& inner, const fs::path& outer) {
  const auto a = resolved(inner), b = resolved(outer);
  return a != b &&
         std::mismatch(b.begin(), b.end(), a.begin(), a.end()).first == b.end();
}

[[noreturn]] void refuse(const fs::path& out, const char* relation,
                         const fs::path& input) {
  throw ConfigError(fmt::format(
      "{}: {} {}, which is read; choose another place", printable(out.string()),
      relation, printable(input.string())));
}

}  // namespace

void expect_other_than(const fs::path& out,
                       const std::vector<fs::path>& inputs) {
  for (const auto& input : inputs)
    if (!input.empty() && are_same(out, input))
      refuse(out, "cannot be written over", input);
}

void expect_apart(const fs::path& out, const std::vector<fs::path>& sets,
                  const std::vector<fs::path>& models) {
  expect_other_than(out, sets);
  expect_other_than(out, models);
  for (const auto* inputs : {&sets, &models})
    for (const auto& input : *inputs) {
      std::error_code ignored;
      if (!fs::exists(input, ignored)) continue;
      if (is_inside(input, out)) refuse(out, "lies around", input);
      if (inputs == &sets && is_inside(out, input))
        refuse(out, "lies inside of", input);
    }
}

}  // namespace calotype
