#pragma once

#include <cstddef>
#include <vector>

#include "core/pickle_fault.h"
#include "core/pickle_graph.h"

namespace calotype {

/// The stack of a pickle's machine: values, and marks between them. What is
/// below the last mark is out of reach.
class PickleStack {
 public:
  void push(PickleId id) {
    if (values_.size() >= kMaxPickleValues)
      throw PickleFault("a stack of more than 1,500,000 values");
    values_.push_back(id);
  }

  PickleId top() const {
    if (height() == 0) throw PickleFault("the stack is empty");
    return values_.back();
  }

  PickleId pop() {
    const auto id = top();
    values_.pop_back();
    return id;
  }

  void mark() {
    if (marks_.size() >= kMaxPickleValues)
      throw PickleFault("more than 1,500,000 marks");
    marks_.push_back(values_.size());
  }

  /// The top value goes, or the mark where it is on top.
  void drop() {
    if (height() == 0 && !marks_.empty())
      marks_.pop_back();
    else
      pop();
  }

  /// The last `count` values, which go.
  std::vector<PickleId> pop_last(size_t count) {
    if (height() < count) throw PickleFault("the stack is empty");
    std::vector<PickleId> last(values_.end() - long(count), values_.end());
    values_.resize(values_.size() - count);
    return last;
  }

  /// All above the last mark, which goes too.
  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) throw PickleFault("there is no mark");
    auto values = pop_last(height());
    marks_.pop_back();
    return values;
  }

 private:
  size_t height() const {
    return values_.size() - (marks_.empty() ? 0 : marks_.back());
  }

  std::vector<PickleId> values_;
  std::vector<size_t> marks_;
};

}  // namespace calotype
