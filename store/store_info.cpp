#include "store/store_info.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/json_difference.h"
#include "store/token_packing.h"

namespace calotype {
namespace {

/// What rows depend on, the likeliest differences first.
Json dependencies(const StoreInfo& info) {
  auto source = info.source;
  if (source.is_object()) source.erase("spec");
  return {{"format_version", info.format_version},
          {"kind", info.kind},
          {"dtype", info.dtype},
          {"packing", info.packing},
          {"flips", info.flips},
          {"precision", info.precision},
          {"codec", info.codec.identity()},
          {"source", source},
          {"preprocessing", info.preprocessing},
          {"recipe", info.recipe},
          {"class_names", info.class_names}};
}

/// The weights and the class of a codec stay what they are where a newer
/// program says more of their configuration.
void drop_new_keys(Json& wanted, const Json& stored) {
  const auto known = stored.find("config");
  const auto found = wanted.find("config");
  if (known == stored.end() || found == wanted.end() || !known->is_object() ||
      !found->is_object())
    return;
  auto kept = Json::object();
  for (const auto& [key, value] : found->items())
    if (known->contains(key)) kept[key] = value;
  *found = std::move(kept);
}

/// Keys that wait for a later version, and what they are until then.
void refuse_reserved(const StoreInfo& info) {
  const StoreInfo plain;
  const auto expect = [](const char* key, const Json& value, const Json& free) {
    if (value != free)
      throw ConfigError(fmt::format(
          "latent store: asks for {} {}, which this calotype does not know",
          key, json_text(value)));
  };
  expect("scales", info.scales, plain.scales);
  expect("part_plan", info.part_plan, plain.part_plan);
  expect("tile_plan", info.tile_plan, plain.tile_plan);
  expect("columns", info.columns, plain.columns);
}

void check_preview(const StoreInfo& info) {
  const auto& map = *info.preview;
  if (info.kind == "tokens" || info.grid_shapes.empty() ||
      info.grid_shapes[0].empty())
    throw ConfigError("latent store: preview belongs to latents, got none");
  const auto D = size_t(info.grid_shapes[0][0]), C = map.bias.size();
  const bool fits =
      map.matrix.size() == C &&
      std::all_of(map.matrix.begin(), map.matrix.end(),
                  [&](const auto& row) { return row.size() == D; });
  if (C == 0 || !fits)
    throw ConfigError(fmt::format(
        "latent store: preview.matrix must be [C][{}] and preview.bias [C], "
        "got {} rows and {} numbers",
        D, map.matrix.size(), C));
}

}  // namespace

void check_format_version(int64_t version, const std::string& where) {
  if (version > kStoreFormatVersion)
    throw DataError(fmt::format(
        "{}: format_version {} is newer than {}, which this calotype reads",
        where, version, kStoreFormatVersion));
  if (version < 1)
    throw DataError(fmt::format("{}: format_version must be 1 or more, got {}",
                                where, version));
}

StoreInfo parse_store_info(const std::string& text, const std::string& where) {
  const auto json = parse_json(text, where);
  // Ahead of the keys, of which a newer version may have others.
  if (json.is_object() && json.contains("format_version") &&
      json["format_version"].is_number_integer())
    check_format_version(json["format_version"].get<int64_t>(), where);
  StoreInfo info{.format_version = 1};  // where none is said
  try {
    read_config(json, info, where);
    check_store_info(info);
  } catch (const ConfigError& error) {
    throw DataError(error.what());  // nobody asked for this: the file says so
  }
  return info;
}

std::string store_info_text(const StoreInfo& info) {
  // Names of classes are names of folders, which need not be UTF-8.
  return json_text(write_config(info), 2) + "\n";
}

void check_store_info(const StoreInfo& info) {
  refuse_reserved(info);
  check_one_of("latent store", "kind", info.kind,
               {"moments", "latents", "tokens"});
  if (info.kind == "tokens")
    check_one_of("token store", "dtype", info.dtype,
                 {"uint8", "uint16", "uint32"});
  else
    check_one_of("latent store", "dtype", info.dtype, {"fp32", "fp16", "bf16"});
  check_one_of("latent store", "precision", info.precision, {"fp32", "bf16"});
  check_one_of("latent store", "packing", info.packing,
               {"none", "bits", "entropy"});
  if (info.flips && info.kind == "tokens")
    throw ConfigError("latent store: flips need latents, got kind tokens");
  if (info.preview) check_preview(info);
  if (info.packing == "none") return;
  const auto codes = info.codec.num_codes();
  if (info.kind == "tokens" && codes == 0)
    throw ConfigError(
        fmt::format("latent store: packing {} needs codec.num_codes, which is "
                    "missing",
                    info.packing));
  const auto most = info.packing == "entropy" ? int64_t{1} << kMaxCodedBits
                                              : int64_t{1} << 32;
  if (info.kind != "tokens" || codes < 1 || codes > most)
    throw ConfigError(fmt::format(
        "latent store: packing {} needs tokens of at most {} codes, got {}",
        info.packing, most,
        info.kind == "tokens" ? fmt::format("{}", codes)
                              : "kind " + info.kind));
  if (info.dtype != token_dtype(codes))
    throw ConfigError(
        fmt::format("latent store: packed tokens of {} codes have dtype {}, "
                    "got {}",
                    codes, token_dtype(codes), info.dtype));
}

StoreInfo identity_of(const StoreInfo& info) {
  auto identity = info;
  identity.grid_shapes.clear();
  identity.mean.clear();
  identity.std.clear();
  identity.preview.reset();
  identity.count = 0;
  identity.complete = false;
  return identity;
}

std::string first_difference(const StoreInfo& stored, const StoreInfo& wanted) {
  auto before = dependencies(stored), now = dependencies(wanted);
  drop_new_keys(now["codec"], before["codec"]);
  const auto found = json_difference(before, now);
  if (!found) return "";
  const auto stands = [](const Json& value, const char* where) {
    return value.is_null() ? fmt::format("missing {}", where)
                           : fmt::format("{} {}", json_text(value), where);
  };
  return fmt::format("{} is {}, {}", found->path,
                     stands(found->before, "in the store"),
                     stands(found->now, "now"));
}

}  // namespace calotype
