#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace calotype {

/// Runs `work`, which returns an exit code, in a process of its own. Returns
/// that code, or 128 + signal if a signal ended the process.
template <class Work>
int exit_code_of_child(Work&& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace calotype
