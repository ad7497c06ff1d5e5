#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "core/runtime.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

void redirect(const std::string& path, int descriptor) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(file, descriptor);
  ::close(file);
}

}  // namespace

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Outcome run_program(const std::vector<std::string>& arguments,
                    const RunOptions& options) {
  const char* program = std::getenv("CALOTYPE_PROGRAM");
  if (!program)
    throw std::runtime_error("CALOTYPE_PROGRAM does not name the program");
  std::vector<std::string> command{program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_command(command, options);
}

Outcome run_command(const std::vector<std::string>& arguments,
                    const RunOptions& options) {
  TempFolder folder;
  const auto out = (folder / "out").string(), err = (folder / "err").string();
  std::vector<char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  const pid_t child = ::fork();
  if (child == 0) {
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    if (options.max_file_bytes > 0) {
      const rlimit limit{rlim_t(options.max_file_bytes),
                         rlim_t(options.max_file_bytes)};
      setrlimit(RLIMIT_FSIZE, &limit);
      ::signal(SIGXFSZ, SIG_IGN);  // writes fail instead, as on a full disk
    }
    ::execv(argv[0], argv.data());
    _exit(127);
  }
  const double begin = monotonic_s();
  int status = 0;
  bool killed = false;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const bool is_time = (options.kill_after_s > 0 &&
                          monotonic_s() - begin > options.kill_after_s) ||
                         (!options.kill_at.empty() &&
                          ::access(options.kill_at.c_str(), F_OK) == 0);
    if (is_time && !killed) {
      ::kill(child, options.signal);
      killed = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {
      .code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
      .out = content(out),
      .err = content(err)};
}

}  // namespace calotype
