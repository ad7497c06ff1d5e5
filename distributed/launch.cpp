#include "distributed/launch.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/hash.h"

namespace calotype {
namespace {

constexpr int64_t kMaxProcesses = 1 << 16;

/// The variables of one launcher.
struct Launcher {
  const char *rank, *size, *local_rank, *local_size, *job;
};

// The innermost first: torchrun may run under srun, and mpirun in a job of
// Slurm, whose variables are then those of what started them.
constexpr auto kLaunchers = std::to_array<Launcher>({
    {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
     "TORCHELASTIC_RUN_ID"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
     "PMIX_NAMESPACE"},
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS",
     "HYDI_CONTROL_FD"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", nullptr,
     "SLURM_JOB_ID"},
});

int64_t parsed(const char* name, const std::string& text, int64_t least,
               int64_t most) {
  int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > most)
    throw ConfigError(
        fmt::format("{}: expected a whole number of {} to {}, got \"{}\"", name,
                    least, most, text));
  return value;
}

/// Reads variables and remembers which.
class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  std::optional<int64_t> number(const char* name, int64_t least, int64_t most) {
    if (!name) return {};
    const auto text = environment_(name);
    if (!text || text->empty()) return {};
    const auto value = parsed(name, *text, least, most);
    said_ += fmt::format("{}{}={}", said_.empty() ? "" : " ", name, *text);
    return value;
  }

  const std::string& said() const { return said_; }

 private:
  const Environment& environment_;
  std::string said_;
};

/// In batch scripts srun's own variables are missing; without an srun that
/// started it, a process is alone.
bool is_there(const Launcher& launcher, const Environment& environment) {
  const bool is_slurm = std::string_view(launcher.rank) == "SLURM_PROCID";
  return environment(launcher.size).has_value() ||
         (!is_slurm && environment(launcher.rank).has_value());
}

std::optional<Launch> read(const Launcher& launcher,
                           const Environment& environment) {
  if (!is_there(launcher, environment)) return {};
  Reader reader(environment);
  const auto rank = reader.number(launcher.rank, 0, kMaxProcesses - 1);
  const auto size = reader.number(launcher.size, 1, kMaxProcesses);
  if (!rank || !size)
    throw ConfigError(fmt::format(
        "{} is set and {} is not: a launcher sets both, and --alone takes no "
        "notice of either",
        rank ? launcher.rank : launcher.size,
        rank ? launcher.size : launcher.rank));
  if (*rank >= *size)
    throw ConfigError(
        fmt::format("{}={}: there are {} processes, counted from 0 ({})",
                    launcher.rank, *rank, *size, launcher.size));
  Launch launch{.rank = *rank, .size = *size};
  launch.local_rank =
      reader.number(launcher.local_rank, 0, kMaxProcesses - 1).value_or(0);
  launch.local_size =
      reader.number(launcher.local_size, 1, kMaxProcesses).value_or(0);
  if (launcher.local_size && launch.local_size > launch.size)
    throw ConfigError(fmt::format("{}={}: cannot be more than {}={}",
                                  launcher.local_size, launch.local_size,
                                  launcher.size, launch.size));
  launch.variables = reader.said();
  return launch;
}

/// Of jobs at the same time on one machine, different ones mostly.
int port_of_job(const Launcher& launcher, const Environment& environment) {
  const auto job = environment(launcher.job).value_or("");
  return 20000 + int(xxh64(job) % 10000);
}

/// Where nobody says where to meet: here, if all are here.
void complete_address(Launch& launch) {
  if (launch.address.starts_with("127.") || launch.address == "localhost")
    launch.local_size = launch.size;
  if (!launch.address.empty()) return;
  if (launch.local_size != launch.size)
    throw ConfigError(fmt::format(
        "{}: MASTER_ADDR is not set, and {}; set it to the name of the machine "
        "of process 0, and MASTER_PORT to a free port there",
        launch.variables,
        launch.local_size == 0
            ? "nobody says whether all processes are on this machine"
            : fmt::format("only {} of {} processes are on this machine",
                          launch.local_size, launch.size)));
  launch.address = "127.0.0.1";
}

/// What the innermost launcher says, if it started several; where to meet is
/// not asked.
std::optional<Launch> innermost(const Environment& environment) {
  std::optional<Launch> found;
  for (const auto& launcher : kLaunchers) {
    auto launch = read(launcher, environment);
    if (!launch) continue;
    if (!found) {
      launch->port = port_of_job(launcher, environment);
      found = std::move(launch);
      // What started a launcher that says where to meet counts no more.
      if (environment("MASTER_ADDR") || &launcher != &kLaunchers.front()) break;
    } else if (launch->rank != found->rank || launch->size != found->size) {
      throw ConfigError(fmt::format(
          "{} and {} contradict each other; unset those that are not meant, or "
          "set MASTER_ADDR and MASTER_PORT beside RANK and WORLD_SIZE",
          found->variables, launch->variables));
    }
  }
  if (!found || found->size == 1) return {};
  return found;
}

/// Of a job array, processes of one task, or an indexed job. `count`: that
/// somebody said.
std::optional<Part> part_of_launcher(const Environment& environment,
                                     std::optional<int64_t> count) {
  if (const auto launch = innermost(environment))
    return Part{.index = launch->rank,
                .count = launch->size,
                .variables = launch->variables};
  constexpr int64_t kMost = int64_t{1} << 40;
  Reader reader(environment);
  if (const auto id = reader.number("SLURM_ARRAY_TASK_ID", 0, kMost)) {
    const auto first =
        reader.number("SLURM_ARRAY_TASK_MIN", 0, kMost).value_or(0);
    if (reader.number("SLURM_ARRAY_TASK_STEP", 1, kMost).value_or(1) != 1)
      throw ConfigError(
          "SLURM_ARRAY_TASK_STEP: an array of parts has no step; say --part "
          "I/N");
    const auto size = reader.number("SLURM_ARRAY_TASK_COUNT", 1, kMaxProcesses);
    if (!size && !count)
      throw ConfigError(
          "SLURM_ARRAY_TASK_ID is set and SLURM_ARRAY_TASK_COUNT is not: Slurm "
          "sets both; --part /N says how many parts there are, --part 0/1 "
          "takes no notice");
    return Part{.index = *id - first,
                .count = size.value_or(0),
                .first = first,
                .is_array = true,
                .variables = reader.said()};
  }
  if (const auto index =
          reader.number("JOB_COMPLETION_INDEX", 0, kMaxProcesses - 1)) {
    if (!count)
      throw ConfigError(
          "JOB_COMPLETION_INDEX is set, and Kubernetes does not say how many "
          "there are; --part /N does, --part 0/1 takes no notice");
    return Part{.index = *index, .count = *count, .variables = reader.said()};
  }
  return {};
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const auto* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::optional<Launch> find_launch(const Environment& environment) {
  auto found = innermost(environment);
  if (!found) return {};
  Reader reader(environment);
  if (const auto nodes = reader.number("SLURM_STEP_NUM_NODES", 1, 1 << 16);
      nodes == 1 && found->local_size == 0)
    found->local_size = found->size;
  found->agent_serves =
      environment("TORCHELASTIC_USE_AGENT_STORE").value_or("") == "True";
  found->attempt =
      reader.number("TORCHELASTIC_RESTART_COUNT", 0, 1 << 30).value_or(0);
  found->address = environment("MASTER_ADDR").value_or("");
  if (const auto port = reader.number("MASTER_PORT", 1, 65535))
    found->port = int(*port);
  else if (found->agent_serves)
    throw ConfigError(
        "TORCHELASTIC_USE_AGENT_STORE is set and MASTER_PORT is not: torchrun "
        "sets both");
  complete_address(*found);
  return found;
}

std::optional<Part> find_part(const std::string& text,
                              const Environment& environment) {
  const auto slash = text.find('/');
  if (!text.empty() && slash == std::string::npos)
    throw ConfigError(fmt::format(
        "--part: expected I/N, such as 0/8 to 7/8, got \"{}\"", text));
  std::optional<int64_t> count;
  if (!text.empty())
    count = parsed("--part", text.substr(slash + 1), 1, kMaxProcesses);
  if (slash != std::string::npos && slash > 0) {
    const auto index =
        parsed("--part", text.substr(0, slash), 0, kMaxProcesses);
    if (index >= *count)
      throw ConfigError(
          fmt::format("--part: of {} parts the last is {}/{}, got {}", *count,
                      *count - 1, *count, text));
    return Part{.index = index, .count = *count};
  }
  auto part = part_of_launcher(environment, count);
  if (!part && count)
    throw ConfigError(fmt::format(
        "--part: {} names no part, and no launcher does (RANK, "
        "SLURM_ARRAY_TASK_ID, OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID, "
        "JOB_COMPLETION_INDEX); say I/{}",
        text, *count));
  if (part && count && !part->is_array && part->count != *count)
    throw ConfigError(fmt::format("--part: {} and {} contradict each other",
                                  text, part->variables));
  if (part && count) part->count = *count;
  if (part && part->index >= part->count && !part->is_array)
    throw ConfigError(
        fmt::format("--part: {}: there are {} parts, counted "
                    "from 0",
                    part->variables, part->count));
  return part;
}

}  // namespace calotype
