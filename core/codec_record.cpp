#include "core/codec_record.h"

#include <fmt/format.h>

#include <numeric>

#include "core/error.h"

namespace calotype {

int64_t CodecRecord::num_codes() const {
  const auto found = record_.find("num_codes");
  return found != record_.end() && found->is_number_integer()
             ? found->get<int64_t>()
             : 0;
}

std::vector<int64_t> CodecRecord::codebooks(int64_t num_levels) const {
  std::vector<int64_t> each(static_cast<size_t>(num_levels));
  std::iota(each.begin(), each.end(), 0);
  const auto found = record_.find("codebooks");
  if (found == record_.end() || !found->is_array() ||
      found->size() != each.size())
    return each;
  for (size_t level = 0; level < each.size(); ++level)
    if (const auto& book = (*found)[level];
        book.is_number_unsigned() && book < each.size())
      each[level] = book;
  return each;
}

std::string CodecRecord::short_text() const {
  const auto name = class_name(), weights = sha256();
  if (name.empty() && weights.empty()) return "nothing known";
  if (weights.empty()) return name;
  return (name.empty() ? "codec " : name + " ") + short_sha256(weights);
}

Json CodecRecord::identity() const {
  auto identity = record_;
  for (const char* key : {"path", "num_codes", "codebooks"})
    identity.erase(key);
  return identity;
}

std::string CodecRecord::text(const char* key) const {
  const auto found = record_.find(key);
  return found != record_.end() && found->is_string()
             ? found->get<std::string>()
             : "";
}

std::string short_sha256(const std::string& sha256) {
  constexpr size_t kShownDigits = 12;
  return sha256.substr(0, kShownDigits);
}

void read_config(const Json& json, CodecRecord& record,
                 const std::string& where) {
  if (!json.is_object())
    throw ConfigError(fmt::format("{}: expected {{...}}, got {}", where,
                                  config_detail::shown(json)));
  record = CodecRecord(json);
}

Json write_config(const CodecRecord& record) {
  return record.json();
}

}  // namespace calotype
