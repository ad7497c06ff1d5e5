#include "nn/sample_size.h"

#include "core/error.h"

namespace calotype {
namespace {

bool is_edge(const Json& edge) {
  return edge.is_number_integer() && edge > 0;
}

bool is_pair(const Json& size) {
  return size.is_array() && size.size() == 2 && is_edge(size[0]) &&
         is_edge(size[1]);
}

}  // namespace

void check_sample_size(const char* where, const Json& size) {
  if (size.is_null() || is_edge(size) || is_pair(size)) return;
  throw ConfigError(fmt::format(
      "{}: sample_size must be null, a number or two of them, got {}", where,
      json_text(size)));
}

Json square_sample_size(const char* where, const Json& size) {
  check_sample_size(where, size);
  if (!size.is_array()) return size;
  if (size[0] != size[1])
    throw ConfigError(fmt::format(
        "{}: sample_size must be a number or the same number twice, got {}",
        where, json_text(size)));
  return size[0];
}

}  // namespace calotype
