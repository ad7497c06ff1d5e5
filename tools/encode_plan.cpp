#include "tools/encode_plan.h"

#include <fmt/format.h>

#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/note.h"
#include "store/store_info.h"
#include "store/store_parts.h"
#include "store/store_replacing.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

StoreInfo read_info(const fs::path& store) {
  const auto file = store / "store.json";
  return parse_store_info(read_text_file(file), file.string());
}

/// `wanted`, of the set and in the format of `found`.
StoreInfo of_the_same_set(const StoreInfo& wanted, const StoreInfo& found) {
  auto same = wanted;
  same.format_version = found.format_version;
  same.source = found.source;
  same.class_names = found.class_names;
  return same;
}

/// How many rows a finished store has; nothing if its shards are not what they
/// were.
std::optional<int64_t> complete_rows(const fs::path& store,
                                     const StoreInfo& found) {
  if (!found.complete) return {};
  try {
    return StoreReader(store).size();
  } catch (const std::runtime_error& damage) {
    fmt::print(stderr, "{}; encoding what is missing\n", damage.what());
    return {};
  }
}

std::shared_ptr<const KnownRows> known_rows(const fs::path& store,
                                            const ImageSource& source) {
  std::shared_ptr<const StoreReader> reader;
  try {
    reader = std::make_shared<StoreReader>(store, /*allow_incomplete=*/true);
    reader->check_hashes();
  } catch (const Interrupted&) {
    throw;
  } catch (const std::runtime_error& damage) {  // or a shard that is gone
    note(fmt::format("{}; encoding all images anew", damage.what()));
    return nullptr;
  }
  return std::make_shared<KnownRows>(reader, source);
}

/// What an earlier call left of the successor stays if it is of the same set.
/// Returns its rows if it is whole.
std::optional<int64_t> successor_rows(const fs::path& store,
                                      const StoreInfo& wanted) {
  const auto next = successor_of(store);
  try {
    if (fs::exists(next / "store.json"))
      if (const auto found = read_info(next);
          first_difference(found, wanted).empty())
        return complete_rows(next, found);
  } catch (const DataError&) {  // damaged: anew
  }
  discard_successor(store);
  return {};
}

/// A wrong --data must not cost a store.
void refuse_other_images(const fs::path& store, const StoreInfo& found,
                         const StoreInfo& wanted, const KnownRows* known) {
  const auto spec_of = [](const StoreInfo& info) {
    const auto spec = info.source.find("spec");
    return spec != info.source.end() && spec->is_string()
               ? spec->get<std::string>()
               : std::string();
  };
  const auto before = spec_of(found), now = spec_of(wanted);
  const bool shares_none =
      !known || (known->count() == 0 && known->num_rows() > 0);
  if (before != now && shares_none)
    throw ConfigError(fmt::format(
        "{}: holds other images: it is of {}, and none of its rows is of an "
        "image of {}; delete the folder to start anew",
        store.string(), before, now));
}

}  // namespace

EncodePlan plan_encode(const fs::path& store, const StoreInfo& wanted,
                       const ImageSource& source) {
  EncodePlan plan{.store = store, .folder = store};
  finish_replacing(store);
  if (!fs::exists(store / "store.json")) return plan;
  const auto found = read_info(store);
  if (const auto difference =
          first_difference(found, of_the_same_set(wanted, found));
      !difference.empty())
    throw ConfigError(
        fmt::format("{}: is another store: {}; delete the folder to start anew",
                    store.string(), difference));
  if (const auto parts = find_part_plan(store); parts && !found.complete)
    throw ConfigError(
        fmt::format("{}: is written in {} parts: --part I/{} does what is "
                    "missing, --finish "
                    "makes the store of them",
                    store.string(), parts->parts, parts->parts));
  if (first_difference(found, wanted).empty()) {
    discard_successor(store);
    plan.complete_rows = complete_rows(store, found);
    return plan;
  }
  if (!found.source.contains("fingerprint_kind"))
    note(store.string() +
         ": its fingerprint is of names, sizes and times, as earlier versions "
         "took it; comparing the images themselves");
  plan.known = known_rows(store, source);
  refuse_other_images(store, found, wanted, plan.known.get());
  if (found.complete && plan.known && plan.known->is_all()) {
    plan.complete_rows = source.size();
    return plan;
  }
  plan.complete_rows = successor_rows(store, wanted);
  if (plan.complete_rows)  // killed before it took its place
    replace_store(store);
  else
    plan.folder = successor_of(store);
  return plan;
}

}  // namespace calotype
