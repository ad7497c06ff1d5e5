#include "store/shard_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "core/files.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "shard-", kSuffix = ".h5";

ShardEntry parse_entry(std::string_view line, const std::string& where) {
  ShardEntry entry;
  try {
    read_config(parse_json(line, where), entry, where);
  } catch (const ConfigError& error) {
    throw DataError(error.what());
  }
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) throw DataError(fmt::format("{}: {}", where, what));
  };
  expect(shard_number(entry.file).has_value(),
         "file must be like shard-00000.h5");
  expect(entry.grid_shape.size() == 3 &&
             std::all_of(
                 entry.grid_shape.begin(), entry.grid_shape.end(),
                 [](int64_t size) { return size > 0 && size < (1 << 20); }),
         "grid_shape must be [D, h, w]");
  expect(entry.count > 0, "count must be positive");
  expect(entry.header_bytes > 0 && entry.header_bytes <= entry.bytes,
         "header_bytes must be within the file");
  expect(entry.scales.is_null(),
         "asks for scales, which this calotype does not know");
  expect(entry.part.is_null(),
         "asks for a part, which this calotype does not know");
  expect(entry.min_index >= 0 && entry.min_index <= entry.max_index,
         "min_index and max_index must be in order");
  const auto channels = size_t(entry.grid_shape[0]);
  expect(entry.sums.mean.size() == channels &&
             entry.sums.mean_square.size() == channels &&
             entry.sums.variance.size() == channels,
         "sums must have a number per channel");
  return entry;
}

}  // namespace

std::string shard_name(int64_t number) {
  return fmt::format("{}{:05}{}", kPrefix, number, kSuffix);
}

std::optional<int64_t> shard_number(const std::string& name) {
  if (name.size() <= kPrefix.size() + kSuffix.size()) return std::nullopt;
  int64_t number = -1;
  const auto* begin = name.data() + kPrefix.size();
  std::from_chars(begin, name.data() + name.size() - kSuffix.size(), number);
  // One spelling only, and therefore no path.
  if (number < 0 || shard_name(number) != name) return std::nullopt;
  return number;
}

ShardList read_shard_list(const fs::path& folder) {
  const auto path = folder / "shards.jsonl";
  ShardList list;
  if (!fs::exists(path)) return list;
  const auto text = read_text_file(path);
  std::set<std::string> seen;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    if (end == std::string::npos) {
      list.torn = true;
      break;
    }
    const auto where = fmt::format("{}: line {}", path.string(), ++number);
    try {
      auto entry =
          parse_entry(std::string_view(text).substr(begin, end - begin), where);
      if (!seen.insert(entry.file).second)
        throw DataError(fmt::format("{}: names {} again", where, entry.file));
      if (!list.entries.empty() &&
          entry.grid_shape[0] != list.entries[0].grid_shape[0])
        throw DataError(fmt::format("{}: has {} channels, the lines before {}",
                                    where, entry.grid_shape[0],
                                    list.entries[0].grid_shape[0]));
      list.entries.push_back(std::move(entry));
    } catch (const DataError& error) {
      list.problems.push_back(error.what());
    }
    begin = end + 1;
  }
  std::sort(list.entries.begin(), list.entries.end(),
            [](const auto& a, const auto& b) {
              return shard_number(a.file) < shard_number(b.file);
            });
  return list;
}

std::string shard_line(const ShardEntry& entry) {
  auto line = write_config(entry);
  if (entry.rows_hash.empty())  // of version 1, whose readers know no more
    for (const char* key : {"rows_hash", "scales", "part"}) line.erase(key);
  return line.dump();
}

std::string shard_list_text(const std::vector<ShardEntry>& entries) {
  std::string text;
  for (const auto& entry : entries) text += shard_line(entry) + "\n";
  return text;
}

bool is_store_file(const std::string& name) {
  return name == "store.json" || name == "shards.jsonl" || shard_number(name);
}

bool is_left_by_a_kill(const std::string& name) {
  return is_temporary_name(name) ||
         (name.ends_with(".tmp") &&
          is_store_file(name.substr(0, name.size() - 4)));
}

std::vector<std::vector<int64_t>> grid_shapes_of(
    std::vector<ShardEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.min_index < b.min_index;
  });
  std::vector<std::vector<int64_t>> shapes;
  for (const auto& entry : entries)
    if (std::find(shapes.begin(), shapes.end(), entry.grid_shape) ==
        shapes.end())
      shapes.push_back(entry.grid_shape);
  return shapes;
}

void set_normalisation(const std::vector<ShardEntry>& entries,
                       StoreInfo& info) {
  info.mean.clear();
  info.std.clear();
  if (entries.empty() || info.kind == "tokens") return;
  double num_values = 0;  // per channel
  for (const auto& entry : entries)
    num_values += double(entry.count) * double(entry.grid_shape[1]) *
                  double(entry.grid_shape[2]) * (info.flips ? 2 : 1);
  for (size_t channel = 0; channel < entries[0].sums.mean.size(); ++channel) {
    double sum = 0, square = 0, variance = 0;
    for (const auto& entry : entries) {
      sum += entry.sums.mean[channel];
      square += entry.sums.mean_square[channel];
      variance += entry.sums.variance[channel];
    }
    const double mean = sum / num_values;
    const double spread = std::max(0.0, square / num_values - mean * mean);
    info.mean.push_back(mean);
    info.std.push_back(std::sqrt(spread + variance / num_values));
  }
}

}  // namespace calotype
