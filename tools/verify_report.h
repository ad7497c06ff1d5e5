#pragma once

#include <cstdint>
#include <filesystem>

#include "core/config.h"
#include "store/latent_store.h"

// What `verify` tells of a store, and what checking it may take.
namespace calotype {

/// shards, rows, complete, sound, problems and notes.
Json verify_report(const StoreReport& report);

/// Bounds that only a file made to hang or to exhaust the checker meets: they
/// grow with the store.
struct VerifyLimits {
  uint64_t memory_bytes = 0;  // of address space, beside what is there already
  uint64_t cpu_s = 0;
};
VerifyLimits verify_limits(const std::filesystem::path& store);

/// The exit code of a child that came to the bound of its memory.
inline constexpr int kVerifyOutOfMemory = 12;

/// The report of a store whose checking ended before its time. `status`: of the
/// child, as waitpid tells it. A child that met a bound says nothing of the
/// store, neither that it is sound nor that it is damaged.
Json verify_failure(int status, const VerifyLimits& limits);

}  // namespace calotype
