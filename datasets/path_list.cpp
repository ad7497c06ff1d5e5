#include "datasets/path_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "core/printable.h"
#include "datasets/class_labels.h"
#include "images/image_format.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxListBytes = uint64_t{1} << 30;
constexpr std::array kPathKeys = {"path", "file_name", "filename", "file",
                                  "image"};
constexpr std::array kLabelKeys = {"label", "class", "class_name", "cls"};

std::string where_of(const fs::path& list, int64_t line) {
  return fmt::format("{}: line {}", printable(list.string()), line);
}

/// Calls visit(line, number) with each line that is not empty.
template <class Visit>
void for_each_line(std::string_view text, Visit&& visit) {
  int64_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") != std::string_view::npos)
      visit(line, number);
  }
}

/// The label may stand behind a tab or the last blank; a path may have blanks
/// itself, and what is there as a whole is a path.
ListedImage listed_in_line(std::string_view line, const fs::path& folder) {
  const std::string whole(line);
  auto cut = line.rfind('\t');
  if (cut == std::string_view::npos) {
    std::error_code error;
    if (fs::exists(folder / whole, error)) return {whole, {}};
    cut = line.find_last_of(' ');
    // "a photo.png": what follows the blank is the rest of a name.
    if (cut != std::string_view::npos &&
        has_image_extension(std::string(line.substr(cut + 1))))
      return {whole, {}};
  }
  if (cut == std::string_view::npos) return {whole, {}};
  auto path = line.substr(0, cut);
  path = path.substr(0, path.find_last_not_of(" \t") + 1);
  return {std::string(path), class_name_in(line.substr(cut + 1))};
}

std::vector<ListedImage> from_text(std::string_view text,
                                   const fs::path& folder) {
  std::vector<ListedImage> images;
  for_each_line(text, [&](std::string_view line, int64_t) {
    line.remove_prefix(line.find_first_not_of(" \t"));
    line = line.substr(0, line.find_last_not_of(" \t") + 1);
    if (!line.starts_with('#')) images.push_back(listed_in_line(line, folder));
  });
  return images;
}

/// Rows and their cells (RFC 4180).
std::vector<std::vector<std::string>> csv_rows(std::string_view text,
                                               const fs::path& list) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string cell;
  bool is_quoted = false, was_quoted = false;
  const auto end_cell = [&] {
    row.push_back(std::exchange(cell, {}));
    was_quoted = false;
  };
  const auto end_row = [&] {
    end_cell();
    if (row.size() > 1 || !row[0].empty()) rows.push_back(row);
    row.clear();
  };
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_quoted) {
      if (c != '"') {
        cell += c;
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        cell += c;
        ++at;
      } else {
        is_quoted = false;
      }
    } else if (c == '"' && cell.empty() && !was_quoted) {
      is_quoted = was_quoted = true;
    } else if (c == ',') {
      end_cell();
    } else if (c == '\n') {
      end_row();
    } else if (c != '\r') {
      cell += c;
    }
  }
  if (is_quoted)
    throw DataError(printable(list.string()) + ": a quotation has no end");
  if (!cell.empty() || !row.empty()) end_row();
  return rows;
}

std::optional<size_t> column(const std::vector<std::string>& header,
                             const auto& keys) {
  for (const char* key : keys)
    if (const auto found = std::ranges::find(header, key);
        found != header.end())
      return size_t(found - header.begin());
  return {};
}

std::vector<ListedImage> from_csv(std::string_view text, const fs::path& list) {
  const auto rows = csv_rows(text, list);
  if (rows.empty()) return {};
  auto path = column(rows[0], kPathKeys);
  auto label = column(rows[0], kLabelKeys);
  size_t first = 1;
  if (!path && label)
    throw DataError(fmt::format("{}: has a column {}, and none called {}",
                                printable(list.string()), rows[0][*label],
                                fmt::join(kPathKeys, ", ")));
  if (!path) {  // no header
    path = 0;
    label = 1;
    first = 0;
  }
  std::vector<ListedImage> images;
  for (size_t i = first; i < rows.size(); ++i) {
    const auto& row = rows[i];
    if (*path >= row.size() || row[*path].empty())
      throw DataError(fmt::format("{}: row {} has no path",
                                  printable(list.string()), i + 1));
    ListedImage image{row[*path], {}};
    if (label && *label < row.size()) image.label = class_name_in(row[*label]);
    images.push_back(std::move(image));
  }
  return images;
}

std::vector<ListedImage> from_json_lines(std::string_view text,
                                         const fs::path& list) {
  std::vector<ListedImage> images;
  for_each_line(text, [&](std::string_view line, int64_t number) {
    const auto json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object())
      throw DataError(where_of(list, number) + ": expected a JSON object");
    ListedImage image;
    for (const char* key : kPathKeys)
      if (image.path.empty() && json.contains(key) && json[key].is_string())
        image.path = json[key].get<std::string>();
    if (image.path.empty())
      throw DataError(fmt::format("{}: no path: expected one of the keys {}",
                                  where_of(list, number),
                                  fmt::join(kPathKeys, ", ")));
    for (const char* key : kLabelKeys) {
      if (image.label || !json.contains(key) || json[key].is_null()) continue;
      if (json[key].is_number_integer())
        image.label = json[key].dump();
      else if (json[key].is_string())
        image.label = class_name_in(json[key].get<std::string>());
      else
        throw DataError(fmt::format(
            "{}: {}: expected a whole number or a name, got {}",
            where_of(list, number), key, config_detail::shown(json[key])));
    }
    images.push_back(std::move(image));
  });
  return images;
}

}  // namespace

bool is_called_list(const fs::path& path) {
  const auto ending = lower_extension(path);
  return ending == ".txt" || ending == ".csv" || ending == ".jsonl";
}

std::vector<ListedImage> read_path_list(const fs::path& list) {
  const auto bytes = read_file(list, kMaxListBytes);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                        bytes.size());
  if (text.starts_with("\xef\xbb\xbf"))
    text.remove_prefix(3);  // a mark of UTF-8
  if (text.find('\0') != std::string_view::npos)
    throw DataError(printable(list.string()) +
                    ": holds zero bytes, and is no list of paths");
  const auto ending = lower_extension(list);
  if (ending == ".csv") return from_csv(text, list);
  if (ending == ".jsonl") return from_json_lines(text, list);
  return from_text(text, list.parent_path());
}

}  // namespace calotype
