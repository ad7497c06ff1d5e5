#include "evaluation/protocol.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "core/hash.h"
#include "core/json_difference.h"

namespace calotype {
namespace {

/// What may differ: names of one and the same thing.
bool is_name(const std::string& key) {
  return key == "spec" || key == "version";
}

/// Where none is said, networks computed in fp32, or none was asked.
Json with_precision(Json protocol) {
  if (!protocol.contains("precision")) protocol["precision"] = "fp32";
  return protocol;
}

}  // namespace

void SetHash::add(const at::Tensor& indices,
                  const std::vector<uint64_t>& hashes) {
  for (size_t i = 0; i < hashes.size(); ++i)
    hashes_.emplace_back(indices[int64_t(i)].item<int64_t>(), hashes[i]);
}

at::Tensor SetHash::table() const {
  auto table = at::empty({count(), 2}, at::kLong);
  auto* to = table.data_ptr<int64_t>();
  for (const auto& [index, hash] : hashes_) {
    *to++ = index;
    *to++ = int64_t(hash);
  }
  return table;
}

void SetHash::add(const at::Tensor& table) {
  const auto whole = table.contiguous();
  const auto* from = whole.data_ptr<int64_t>();
  for (int64_t i = 0; i < whole.size(0); ++i)
    hashes_.emplace_back(from[2 * i], uint64_t(from[2 * i + 1]));
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

std::string protocol_difference(const Json& one, const Json& other) {
  const auto a = with_precision(one), b = with_precision(other);
  const auto found = json_difference(a, b, is_name);
  if (!found) return "";
  if (found->before.is_null() || found->now.is_null())
    return fmt::format("{}: only one of them says so", found->path);
  return fmt::format("{}: {} and {}", found->path, json_text(found->before),
                     json_text(found->now));
}

}  // namespace calotype
