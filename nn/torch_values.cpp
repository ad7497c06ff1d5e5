#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/printable.h"
#include "nn/torch_content.h"
#include "nn/torch_names.h"
#include "nn/torch_tree.h"

namespace calotype {
namespace {

constexpr const char* kTensor = "<tensor>";
constexpr const char* kMore = "...";

/// Writes values as JSON until it has written enough.
class ValueWriter {
 public:
  explicit ValueWriter(const PickleGraph& graph) : graph_(graph) {}

  Json write(PickleId id, int depth = 0) {
    constexpr int kDeepest = 16;  // also ends what is part of itself
    if (num_left_ == 0 || depth > kDeepest) return kMore;
    --num_left_;
    switch (graph_.kind(id)) {
      case PickleKind::kNone:
        return nullptr;
      case PickleKind::kBool:
        return graph_.integer(id) != 0;
      case PickleKind::kInt:
        return graph_.integer(id);
      case PickleKind::kFloat:
        return graph_.real(id);
      case PickleKind::kLong:
        return "<integer>";
      case PickleKind::kBytes:
        return "<bytes>";
      case PickleKind::kText:
        return text(id);
      case PickleKind::kTuple:
      case PickleKind::kList:
      case PickleKind::kSet:
        return list(id, depth);
      case PickleKind::kDict: {
        Json json = Json::object();
        add_items(json, graph_.items(id), depth);
        return json;
      }
      case PickleKind::kGlobal:
        return class_text(graph_, id);
      case PickleKind::kObject:
        return object(id, depth);
      case PickleKind::kPersistent:
        break;
    }
    return "<storage>";
  }

 private:
  std::string text(PickleId id) const {
    constexpr size_t kLongest = 1000;
    const auto whole = graph_.text(id);
    return whole.size() <= kLongest
               ? std::string(whole)
               : std::string(whole.substr(0, kLongest)) + kMore;
  }

  Json list(PickleId id, int depth) {
    constexpr size_t kLongest = 64;
    const auto items = graph_.items(id);
    Json json = Json::array();
    for (size_t i = 0; i < std::min(items.size(), kLongest); ++i)
      json.push_back(write(items[i], depth + 1));
    if (items.size() > kLongest) json.push_back(kMore);
    return json;
  }

  // A state dict is a thousand tensors, which are told elsewhere.
  void add_items(Json& json, std::span<const PickleId> items, int depth) {
    for (size_t i = 0; i + 1 < items.size() && num_left_ > 0; i += 2) {
      if (is_torch_tensor(graph_, items[i + 1])) continue;
      const auto key = key_text(graph_, items[i]).substr(0, 200);
      if (!key.empty()) json[key] = write(items[i + 1], depth + 1);
    }
  }

  Json object(PickleId id, int depth) {
    if (is_torch_tensor(graph_, id)) return kTensor;
    const auto parts = graph_.items(id);
    Json json{{"_class", class_text(graph_, id)}};
    for (size_t i = 2; i < parts.size(); ++i) {
      if (graph_.kind(parts[i]) == PickleKind::kDict)
        add_items(json, graph_.items(parts[i]), depth);
      else
        json["_state"] = write(parts[i], depth + 1);
    }
    return json;
  }

  const PickleGraph& graph_;
  int num_left_ = 4000;
};

}  // namespace

Json torch_values(const PickleGraph& graph, PickleId root) {
  return ValueWriter(graph).write(root);
}

}  // namespace calotype
