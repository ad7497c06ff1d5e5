#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

// Several processes that do the same work, line by line, each on its own share
// of what networks compute (nn/sliced.h). Whatever stands outside of networks
// is done by each of them, on the same numbers.
namespace calotype {

/// What the processes of one work give each other. Each of them calls the same
/// functions in the same order, from the thread that works. All throw
/// ProcessError, which names who is missing, where another process fails, is
/// gone, or does not come in time.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  virtual int64_t rank() const = 0;  // of this process, in [0, size)
  virtual int64_t size() const = 0;

  /// `mine`, [counts[rank],...], of all processes one after the other. Their
  /// other sizes and types are the same.
  virtual at::Tensor gather_rows(const at::Tensor& mine,
                                 const std::vector<int64_t>& counts) = 0;

  /// The sum [P] of the rows of `mine`, [counts[rank],P] in float, of all
  /// processes, added from the first row to the last: the same bits however the
  /// rows are dealt out.
  virtual at::Tensor sum_in_order(const at::Tensor& mine,
                                  const std::vector<int64_t>& counts) = 0;

  /// Begins to add up `mine` [P] of all processes in an order that is left
  /// open, in place. It is the sum once the function that comes back was
  /// called.
  virtual std::function<void()> begin_sum(const at::Tensor& mine) = 0;

  /// The bits that any process sets.
  virtual uint64_t any_bits(uint64_t mine) = 0;

  /// `mine` of each process.
  virtual std::vector<uint64_t> all_of(uint64_t mine) = 0;
};

/// That this thread works in, or null: it is alone.
ProcessGroup* current_process_group();

/// While it lives, the thread works in `group`, or alone: null.
class ProcessGroupScope {
 public:
  explicit ProcessGroupScope(ProcessGroup* group);
  ~ProcessGroupScope();
  ProcessGroupScope(const ProcessGroupScope&) = delete;
  ProcessGroupScope& operator=(const ProcessGroupScope&) = delete;

 private:
  ProcessGroup* before_;
};

}  // namespace calotype
