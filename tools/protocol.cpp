#include "tools/protocol.h"

#include <algorithm>

#include "core/hash.h"

namespace calotype {
namespace {

/// What may differ: names of one and the same thing.
bool is_name(const std::string& key) {
  return key == "spec" || key == "version";
}

}  // namespace

void SetHash::add(const at::Tensor& indices,
                  const std::vector<uint64_t>& hashes) {
  for (size_t i = 0; i < hashes.size(); ++i)
    hashes_.emplace_back(indices[int64_t(i)].item<int64_t>(), hashes[i]);
}

std::string SetHash::text() const {
  auto ordered = hashes_;
  std::sort(ordered.begin(), ordered.end());
  std::string words;
  for (const auto& [index, hash] : ordered)
    words += hex64(uint64_t(index)) + hex64(hash);
  return hex64(xxh64(words));
}

Json set_record(const std::string& spec, const SetHash& hash) {
  return {{"spec", spec}, {"images", hash.count()}, {"hash", hash.text()}};
}

std::string protocol_difference(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object())
    return a == b ? "" : fmt::format("{} and {}", json_text(a), json_text(b));
  for (const auto& [one, other] : {std::pair(&a, &b), std::pair(&b, &a)})
    for (const auto& item : one->items()) {
      if (is_name(item.key())) continue;
      if (!other->contains(item.key()))
        return fmt::format("{}: only one of them says so", item.key());
      const auto difference =
          protocol_difference(a.at(item.key()), b.at(item.key()));
      if (!difference.empty())
        return fmt::format("{}{}{}", item.key(),
                           item.value().is_object() ? "." : ": ", difference);
    }
  return "";
}

}  // namespace calotype
