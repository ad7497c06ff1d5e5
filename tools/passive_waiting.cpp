// Before anything else of the program runs: threads that wait are to sleep.
//
// libgomp's threads spin for some milliseconds when they wait for each other,
// and beside another busy process they spin in the way of those that they wait
// for: a training on two CPUs falls to a twentieth of its speed. It reads how
// to wait from the environment, once, in its constructor; so the program starts
// itself anew with the answer there, unless the user has given one. That costs
// what it takes to load LibTorch, so it is for commands that compute.
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)

#include <sys/auxv.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

namespace {

constexpr std::string_view kSettings[] = {
    "OMP_WAIT_POLICY=", "GOMP_SPINCOUNT=", "KMP_BLOCKTIME="};
char passive[] = "OMP_WAIT_POLICY=passive";

bool computes(int argc, char** argv) {
  if (argc < 2) return false;
  const std::string_view command = argv[1];
  if (command.empty() || command[0] == '-' || command == "inspect" ||
      command == "verify")
    return false;
  for (int i = 2; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--help" || option == "-h" || option == "--dry-run" ||
        option == "--threads=1")
      return false;
    if (option == "--threads" && i + 1 < argc &&
        std::string_view(argv[i + 1]) == "1")
      return false;
  }
  return true;
}

/// Only the system's calls may be used here: no library, the C library
/// included, has been initialised, so that nobody has read the environment.
void wait_passively(int argc, char** argv, char** environment) {
  if (!computes(argc, argv)) return;
  size_t count = 0;
  for (; environment[count]; ++count)
    for (const auto setting : kSettings)
      if (std::string_view(environment[count]).starts_with(setting)) return;
  const auto* path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (!path) return;
  auto** with_policy =
      static_cast<char**>(__builtin_alloca((count + 2) * sizeof(char*)));
  std::memcpy(with_policy, environment, count * sizeof(char*));
  with_policy[count] = passive;
  with_policy[count + 1] = nullptr;
  execve(path, argv, with_policy);  // if it cannot be, threads spin
}

using Initialiser = void (*)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] const Initialiser first =
    wait_passively;

}  // namespace

#endif
