#pragma once

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include <algorithm>
#include <cstdint>
#include <thread>

// The only way into several threads for our own loops.
namespace calotype {

/// Calls `body(first, last)` for parts of [begin,end) on LibTorch's threads,
/// each of at least `grain` elements: fewer cost less than it takes to wake a
/// thread. Unlike at::parallel_for, the caller's modes of LibTorch (no
/// gradients, inference) hold in all of them. Passes on what `body` throws.
/// Serial inside another such loop, and after use_one_thread().
template <class Body>
void parallel_for(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  if (begin >= end) return;
  if (end - begin <= grain) return body(begin, end);
  const at::ThreadLocalState modes;
  const auto caller = std::this_thread::get_id();
  at::parallel_for(begin, end, grain, [&](int64_t first, int64_t last) {
    if (std::this_thread::get_id() == caller) return body(first, last);
    const at::ThreadLocalStateGuard guard(modes);
    body(first, last);
  });
}

/// The grain of a loop whose elements cost `cost` each, where a thread is worth
/// its while for `worth` of that: at least 1.
inline int64_t grain_of(int64_t cost, int64_t worth) {
  return std::max<int64_t>(1, worth / std::max<int64_t>(1, cost));
}

/// All loops that this thread meets from now on, LibTorch's too, run on it
/// alone. For threads that are many already: each would have a team of its own.
void use_one_thread();

}  // namespace calotype
