#include "core/error.h"

#include <new>
#include <string_view>

namespace calotype {

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error)) return true;
  const std::string_view what = error.what();
  return what.find("out of memory") != what.npos ||
         what.find("allocate memory") != what.npos;
}

}  // namespace calotype
