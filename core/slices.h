#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>

namespace calotype {

/// The rows [begin, end) of a batch.
struct Slice {
  int64_t begin = 0, end = 0;

  int64_t size() const { return end - begin; }
};

/// Part `index` of `count` parts of `rows` rows, whose sizes differ by one at
/// most; the first are the larger ones.
Slice slice_of(int64_t rows, int64_t count, int64_t index);

/// While it lives, loops of this thread, LibTorch's too, run on it alone, so
/// that what they add up is added in one order whatever threads there are.
/// for_each_slice has as many as before.
class AloneInLoops {
 public:
  AloneInLoops();
  ~AloneInLoops();
  AloneInLoops(const AloneInLoops&) = delete;
  AloneInLoops& operator=(const AloneInLoops&) = delete;

 private:
  int loops_before_, slices_before_;
};

/// Threads that for_each_slice has here: 1 inside of a slice or a loop.
int num_slice_threads();

/// Calls `body(i)` for each i of [0, count), many at once: on as many threads
/// as LibTorch's loops have in this process, each of which runs all of its own
/// loops by itself. Threads of a loop wait for the slowest of them at its end,
/// hundreds of times a step, and where a neighbour takes a CPU that is all the
/// time; these meet once. A free thread takes the lowest i that is not begun.
/// The caller's modes of LibTorch (no gradients, inference) hold in all of
/// them.
///
/// One slice alone is run by the caller, on all threads; so are all of them,
/// one after the other, inside another such call or loop. After an exception no
/// slice is begun any more, and of those that were thrown the one of the lowest
/// i goes on to the caller.
void for_each_slice(int64_t count, const std::function<void(int64_t)>& body);

/// Lets slices that run side by side do something in their order: what adds
/// floats must always add them in the same one.
class InOrder {
 public:
  /// Waits until all slices before `index` did theirs, and does `action`. Each
  /// slice comes here once, or give_up() is called for it. Throws OrderBroken
  /// where an earlier one gave up.
  void run(int64_t index, const std::function<void()>& action);

  /// A slice failed: those that wait for it need not.
  void give_up();

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  int64_t next_ = 0;
  bool is_broken_ = false;
};

/// A slice had to stop because of another one, whose exception says why.
struct OrderBroken : std::exception {
  const char* what() const noexcept override { return "another slice failed"; }
};

}  // namespace calotype
