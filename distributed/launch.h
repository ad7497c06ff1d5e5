#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/work_parts.h"

// How torchrun, mpirun, srun and other launchers tell a process which one of
// how many it is.
namespace calotype {

/// Which process of how many this is, and where they meet.
struct Launch {
  int64_t rank = 0, size = 1;              // among all
  int64_t local_rank = 0, local_size = 0;  // on this machine; 0: not known
  std::string address;  // of the machine of process 0; empty: nobody says
  int port = 0;
  bool agent_serves = false;  // torchrun's agent keeps the store at that port
  int64_t attempt = 0;        // how often torchrun has started all anew
  std::string variables;      // "RANK=1 WORLD_SIZE=4": where this is from
};

/// The value of an environment variable, or nothing.
using Environment =
    std::function<std::optional<std::string>(const std::string& name)>;

/// Of the process.
std::optional<std::string> environment_variable(const std::string& name);

/// What the innermost launcher says: torchrun and whatever else sets RANK and
/// WORLD_SIZE, Open MPI (OMPI_COMM_WORLD_RANK), MPICH and Intel MPI (PMI_RANK),
/// or srun (SLURM_PROCID); nothing where there is none, and where it started
/// one process alone. In a batch script that calls no srun, Slurm's variables
/// count for nothing: they speak of the job, not of a process. Processes of one
/// machine meet there where nobody says where. Throws ConfigError for variables
/// that are set by half, contradict each other or are no numbers, and where
/// processes of several machines are not told where to meet.
std::optional<Launch> find_launch(const Environment& environment);

/// Which part of a work this process is to do: `text` is "I/N", or "/N" where
/// the launcher says I alone, or empty: what the launcher says, if anything.
/// The launchers are those of find_launch, job arrays of Slurm
/// (SLURM_ARRAY_TASK_ID, of whatever first index) and indexed jobs of
/// Kubernetes (JOB_COMPLETION_INDEX, with "/N"). Throws ConfigError as
/// find_launch does, and for an I that is not in [0, N).
std::optional<Part> find_part(const std::string& text,
                              const Environment& environment);

}  // namespace calotype
