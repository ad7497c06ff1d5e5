#include "core/note.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <utility>

namespace calotype {
namespace {

std::mutex mutex;
std::vector<std::string> noted;
std::string process;
bool is_speaker = true;

}  // namespace

void note(const std::string& text) {
  const std::lock_guard lock(mutex);
  if (std::find(noted.begin(), noted.end(), text) != noted.end()) return;
  noted.push_back(text);
  if (!is_speaker) return;
  std::fprintf(stderr, "%s\n", text.c_str());  // unlike fmt's, it never throws
}

void name_process(const std::string& name, bool speaks) {
  const std::lock_guard lock(mutex);
  process = name;
  is_speaker = speaks;
}

std::string process_name() {
  const std::lock_guard lock(mutex);
  return process;
}

std::vector<std::string> take_notes() {
  const std::lock_guard lock(mutex);
  return std::exchange(noted, {});
}

}  // namespace calotype
