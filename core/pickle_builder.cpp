#include "core/pickle_builder.h"

#include <string_view>

#include "core/pickle_fault.h"
#include "core/utf8.h"

namespace calotype {

PickleBuilder::PickleBuilder(std::span<const uint8_t> bytes) : bytes_(bytes) {
  graph_.begin_ = bytes.data();
  add({PickleKind::kNone});
  add({PickleKind::kBool, 0, 0});
  add({PickleKind::kBool, 0, 1});
}

PickleId PickleBuilder::add(PickleGraph::Node node) {
  if (graph_.nodes_.size() >= kMaxPickleValues)
    throw PickleFault("more than 1,500,000 values");
  graph_.nodes_.push_back(node);
  return PickleId(graph_.nodes_.size() - 1);
}

PickleId PickleBuilder::add_run(PickleKind kind,
                                std::span<const PickleId> items) {
  const PickleGraph::Node node{kind, uint32_t(items.size()),
                               graph_.pool_.size()};
  if (graph_.pool_.size() + items.size() > 4 * size_t{kMaxPickleValues})
    throw PickleFault("tuples of more than 6,000,000 values");
  graph_.pool_.insert(graph_.pool_.end(), items.begin(), items.end());
  return add(node);
}

PickleId PickleBuilder::add_growing(PickleKind kind,
                                    std::span<const PickleId> items) {
  graph_.containers_.emplace_back(items.begin(), items.end());
  return add({kind, 0, graph_.containers_.size() - 1});
}

std::vector<PickleId>& PickleBuilder::container(PickleId id) {
  return graph_.containers_[size_t(graph_.nodes_[id].value)];
}

PickleId PickleBuilder::integer(int64_t value) {
  return add({PickleKind::kInt, 0, uint64_t(value)});
}

PickleId PickleBuilder::real(double value) {
  return add({PickleKind::kFloat, 0, std::bit_cast<uint64_t>(value)});
}

PickleId PickleBuilder::bytes(PickleKind kind, uint64_t begin, uint64_t size) {
  return add({kind, uint32_t(size), begin});
}

PickleId PickleBuilder::text_or(PickleKind otherwise, uint64_t begin,
                                uint64_t size) {
  const std::string_view text(
      reinterpret_cast<const char*>(bytes_.data()) + begin, size_t(size));
  return bytes(is_utf8(text) ? PickleKind::kText : otherwise, begin, size);
}

PickleId PickleBuilder::text(uint64_t begin, uint64_t size) {
  const auto id = text_or(PickleKind::kBytes, begin, size);
  if (graph_.kind(id) != PickleKind::kText)
    throw PickleFault("text that is not UTF-8");
  return id;
}

PickleId PickleBuilder::tuple(std::span<const PickleId> items) {
  return add_run(PickleKind::kTuple, items);
}

PickleId PickleBuilder::list(PickleKind kind, std::span<const PickleId> items) {
  return add_growing(kind, items);
}

PickleId PickleBuilder::dict(std::span<const PickleId> items) {
  const auto id = add_growing(PickleKind::kDict, {});
  set_items(id, items);
  return id;
}

PickleId PickleBuilder::persistent(PickleId id) {
  return add_run(PickleKind::kPersistent, {&id, 1});
}

PickleId PickleBuilder::global(PickleId module, PickleId name) {
  if (graph_.kind(module) != PickleKind::kText ||
      graph_.kind(name) != PickleKind::kText)
    throw PickleFault("a class whose name is no text");
  const PickleId names[] = {module, name};
  return add_run(PickleKind::kGlobal, names);
}

PickleId PickleBuilder::made(PickleId maker, PickleId arguments) {
  if (graph_.kind(arguments) != PickleKind::kTuple)
    throw PickleFault("a call whose arguments are no tuple");
  if (graph_.is_global(maker, "collections", "OrderedDict")) {
    const auto dict = add_growing(PickleKind::kDict, {});
    add_pairs(dict, arguments);
    return dict;
  }
  const PickleId parts[] = {maker, arguments};
  return add_growing(PickleKind::kObject, parts);
}

// Python 2 gives an OrderedDict a list of pairs.
void PickleBuilder::add_pairs(PickleId dict, PickleId arguments) {
  const auto given = graph_.items(arguments);
  if (given.empty()) return;
  if (given.size() > 1 || graph_.kind(given[0]) != PickleKind::kList)
    throw PickleFault("an OrderedDict of something else than pairs");
  const auto listed = graph_.items(given[0]);
  for (const auto pair : std::vector(listed.begin(), listed.end())) {
    const auto items = graph_.items(pair);
    if (items.size() != 2 || (graph_.kind(pair) != PickleKind::kList &&
                              graph_.kind(pair) != PickleKind::kTuple))
      throw PickleFault("an OrderedDict of something else than pairs");
    const PickleId item[] = {items[0], items[1]};
    set_items(dict, item);
  }
}

// What an object of an unknown class would do with items stays unknown, and
// they are dropped.
void PickleBuilder::append(PickleId to, std::span<const PickleId> items) {
  const auto kind = graph_.kind(to);
  if (kind == PickleKind::kObject) return;
  if (kind != PickleKind::kList && kind != PickleKind::kSet)
    throw PickleFault("items for what is no list");
  auto& list = container(to);
  list.insert(list.end(), items.begin(), items.end());
}

void PickleBuilder::set_items(PickleId to, std::span<const PickleId> items) {
  if (items.size() % 2 != 0) throw PickleFault("a key without a value");
  const auto kind = graph_.kind(to);
  if (kind != PickleKind::kDict && kind != PickleKind::kObject)
    throw PickleFault("keys for what is no dictionary");
  for (size_t i = 0; i < items.size(); i += 2) {
    const auto key = graph_.kind(items[i]);
    if (key == PickleKind::kList || key == PickleKind::kDict ||
        key == PickleKind::kSet)
      throw PickleFault("a list or dictionary as a key");
  }
  if (kind == PickleKind::kObject) return;
  auto& dict = container(to);
  dict.insert(dict.end(), items.begin(), items.end());
}

// Of a dictionary it would be attributes, such as a state dict's _metadata.
void PickleBuilder::set_state(PickleId of, PickleId state) {
  if (graph_.kind(of) == PickleKind::kObject) container(of).push_back(state);
}

}  // namespace calotype
