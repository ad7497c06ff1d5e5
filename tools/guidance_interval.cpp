#include "tools/guidance_interval.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/error.h"

namespace calotype {

void parse_interval(const std::string& text, Guidance& guidance) {
  const auto colon = text.find(':');
  const auto number = [&](const std::string& part, double otherwise) {
    if (part.empty()) return otherwise;
    try {
      size_t used = 0;
      const double value = std::stod(part, &used);
      if (used == part.size() && !std::isnan(value)) return value;
    } catch (const std::logic_error&) {  // no number, or none that fits
    }
    throw ConfigError(
        fmt::format("generate: --guidance-interval must be LOW:HIGH, such as "
                    "0.3:5, got {}",
                    text));
  };
  if (colon == std::string::npos) number("?", 0);
  guidance.sigma_low = number(text.substr(0, colon), 0);
  guidance.sigma_high =
      number(text.substr(colon + 1), std::numeric_limits<double>::infinity());
}

}  // namespace calotype
