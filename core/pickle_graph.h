#pragma once

#include <bit>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

namespace calotype {

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInt,   // of at most 64 bits
  kLong,  // a larger one, as the bytes that stand for it
  kFloat,
  kText,   // UTF-8
  kBytes,  // also a Python 2 string that is no UTF-8
  kTuple,
  kList,
  kSet,
  kDict,
  kGlobal,     // a class or function by its name, and no more than that
  kObject,     // what a class or function would make
  kPersistent  // what is kept outside of the pickle
};

using PickleId = uint32_t;  // of a value in its graph

/// Values of a pickle, of which some hold others, in circles too. They are
/// numbers in arrays, so that no depth of nesting costs a recursion, and text
/// lies in the pickle itself, which must outlive the graph.
class PickleGraph {
 public:
  PickleId root() const { return root_; }
  size_t size() const { return nodes_.size(); }

  PickleKind kind(PickleId id) const { return nodes_[id].kind; }

  /// Of kBool and kInt.
  int64_t integer(PickleId id) const { return int64_t(nodes_[id].value); }
  /// Of kFloat.
  double real(PickleId id) const {
    return std::bit_cast<double>(nodes_[id].value);
  }
  /// Of kText, kBytes and kLong.
  std::string_view text(PickleId id) const;

  /// Of a kTuple, kList or kSet what it holds; of a kDict keys and values in
  /// turn; of a kGlobal the texts of module and name; of a kObject what would
  /// make it, what of, and each state that it would be given; of a
  /// kPersistent what names it. Else nothing. Until the graph changes.
  std::span<const PickleId> items(PickleId id) const;

  /// Whether it is the kGlobal of exactly this module and name.
  bool is_global(PickleId id, std::string_view module,
                 std::string_view name) const;

 private:
  friend class PickleBuilder;

  struct Node {
    PickleKind kind = PickleKind::kNone;
    uint32_t size = 0;   // of text, or of a run of `pool_`
    uint64_t value = 0;  // the number, or where the text, run or list begins
  };

  static bool is_growing(PickleKind kind);

  const uint8_t* begin_ = nullptr;  // of the pickle
  std::vector<Node> nodes_;
  std::vector<PickleId> pool_;                    // items that stay as they are
  std::deque<std::vector<PickleId>> containers_;  // items of what may grow
  PickleId root_ = 0;
};

}  // namespace calotype
