#include "core/process_group.h"

#include <utility>

namespace calotype {
namespace {

thread_local ProcessGroup* current = nullptr;

}  // namespace

ProcessGroup* current_process_group() {
  return current;
}

ProcessGroupScope::ProcessGroupScope(ProcessGroup* group)
    : before_(std::exchange(current, group)) {}
ProcessGroupScope::~ProcessGroupScope() {
  current = before_;
}

}  // namespace calotype
