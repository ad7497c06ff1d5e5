#include "core/note.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <utility>

namespace calotype {
namespace {

std::mutex mutex;
std::vector<std::string> noted;

}  // namespace

void note(const std::string& text) {
  const std::lock_guard lock(mutex);
  if (std::find(noted.begin(), noted.end(), text) != noted.end()) return;
  noted.push_back(text);
  std::fprintf(stderr, "%s\n", text.c_str());  // unlike fmt's, it never throws
}

std::vector<std::string> take_notes() {
  const std::lock_guard lock(mutex);
  return std::exchange(noted, {});
}

}  // namespace calotype
