#include "datasets/image_source.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "datasets/archive_source.h"
#include "datasets/class_list.h"
#include "datasets/emoji.h"
#include "datasets/folder_classes.h"
#include "datasets/folder_walk.h"
#include "datasets/idx.h"
#include "datasets/idx_file.h"
#include "datasets/image_folder.h"
#include "datasets/path_list.h"
#include "datasets/spec_pattern.h"
#include "datasets/subset_source.h"
#include "datasets/synthetic.h"
#include "datasets/union_source.h"
#include "images/image_format.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

struct NamedSlice {
  int64_t begin = 0;
  std::optional<int64_t> end;
};

/// "A:B", either of which may be left out.
std::optional<NamedSlice> parse_slice(const std::string& inside) {
  const auto colon = inside.find(':');
  if (colon == std::string::npos) return {};
  const auto first = inside.substr(0, colon), second = inside.substr(colon + 1);
  const auto begin = whole_number(first), end = whole_number(second);
  if ((!begin && !first.empty()) || (!end && !second.empty())) return {};
  return NamedSlice{begin.value_or(0), end};
}

constexpr std::string_view kCached = "cached:";
constexpr std::string_view kClassIs = "class=", kClassIsNot = "class!=";

bool is_selection(const std::string& inside) {
  return inside.starts_with(kClassIs) || inside.starts_with(kClassIsNot) ||
         parse_slice(inside);
}

/// A source and what stands in brackets behind it.
struct Suffixed {
  std::string whole, inside;
};

bool is_there(const std::string& spec);

/// What a brace list or wildcards stand for. A name that is there, or has no
/// wildcard, is itself.
std::vector<std::string> paths_of(const std::string& name) {
  std::error_code ignored;
  const bool is_whole = fs::exists(name, ignored) || !is_pattern(name);
  return is_whole ? std::vector{name} : expand_wildcards(name);
}

/// "SPEC[inside]" as its two parts. Names of folders and classes may hold
/// brackets: of all places to cut, the last one that leaves a source.
std::optional<Suffixed> parse_suffix(const std::string& spec) {
  if (!spec.ends_with(']')) return {};
  for (auto at = spec.rfind('['); at != std::string::npos && at > 0;
       at = spec.rfind('[', at - 1)) {
    Suffixed parts{spec.substr(0, at),
                   spec.substr(at + 1, spec.size() - at - 2)};
    if (is_selection(parts.inside) && is_there(parts.whole)) return parts;
  }
  return {};
}

/// Whether open_source() would look for more than a missing path.
bool is_there(const std::string& spec) {
  std::error_code ignored;
  if (fs::exists(spec, ignored) || parse_suffix(spec)) return true;
  for (const std::string_view prefix :
       {kCached, std::string_view("fashion-mnist:"), std::string_view("emoji:"),
        std::string_view("synthetic:")})
    if (spec.starts_with(prefix)) return true;
  if (!is_pattern(spec)) return false;
  for (const auto& name : expand_braces(spec))
    for (const auto& path : paths_of(name))
      if (fs::exists(path, ignored)) return true;
  return false;
}

/// How a source is opened.
struct Opening {
  ImageLimits limits;
  bool keeps_copies = false;  // of what is compressed
};

std::unique_ptr<ImageSource> open_as(const std::string& spec,
                                     const Opening& how);

/// The part of a source that "[A:B]", "[class=NAME,...]" or "[class!=NAME,...]"
/// keeps.
std::unique_ptr<ImageSource> open_part(const Suffixed& parts,
                                       const std::string& spec,
                                       const Opening& how) {
  const std::shared_ptr<const ImageSource> source = open_as(parts.whole, how);
  if (const auto slice = parse_slice(parts.inside))
    return make_slice(source, slice->begin, slice->end.value_or(source->size()),
                      spec);
  const bool all_others = parts.inside.starts_with(kClassIsNot);
  const auto key = all_others ? kClassIsNot : kClassIs;
  return select_classes(
      source,
      parse_class_list(parts.inside.substr(key.size()), source->class_names()),
      all_others, spec);
}

std::unique_ptr<ImageSource> open_synthetic(const std::string& numbers,
                                            const std::string& spec) {
  SyntheticConfig config;
  int64_t seed = 0;
  int64_t* const fields[] = {&config.count, &config.size, &config.channels,
                             &seed};
  size_t num_fields = 0;
  for (size_t at = 0; at <= numbers.size(); ++num_fields) {
    const auto colon = std::min(numbers.find(':', at), numbers.size());
    const auto value =
        whole_number(std::string_view(numbers).substr(at, colon - at));
    if (!value || num_fields == std::size(fields))
      throw ConfigError(fmt::format(
          "{}: expected synthetic:COUNT[:SIZE[:CHANNELS[:SEED]]]", spec));
    *fields[num_fields] = *value;
    at = colon + 1;
  }
  config.seed = uint64_t(seed);
  return make_synthetic(config, spec);
}

std::unique_ptr<ImageSource> open_path(const fs::path& path,
                                       const std::string& spec,
                                       const Opening& how) {
  const auto& limits = how.limits;
  if (fs::is_directory(path)) return open_image_folder(path, spec, limits);
  if (!fs::is_regular_file(path))
    throw ConfigError(printable(spec) + ": neither a folder nor a file");
  const auto head = read_leading_bytes(path);
  if (sniff_format(head) != ImageFormat::kNone)
    return open_image_file(path, spec, limits);
  const auto kind = archive_kind(path);
  if (kind == ArchiveKind::kCompressedTar && how.keeps_copies)
    return open_archive(unpacked_copy(path), ArchiveKind::kTar, spec, limits);
  if (kind != ArchiveKind::kNone) return open_archive(path, kind, spec, limits);
  if (is_called_list(path)) return open_path_list(path, spec, limits);
  return looks_like_idx(head) ? open_idx(path, spec, limits)
                              : open_image_file(path, spec, limits);
}

/// All that a brace list or wildcards stand for, as one.
std::unique_ptr<ImageSource> open_pattern(const std::string& spec,
                                          const Opening& how) {
  std::vector<std::string> found, missing;
  for (const auto& one : expand_braces(spec)) {
    const auto paths = paths_of(one);
    if (paths.empty() || !is_there(paths[0])) missing.push_back(one);
    found.insert(found.end(), paths.begin(), paths.end());
  }
  if (!missing.empty())
    throw ConfigError(fmt::format("{}: {}", printable(spec),
                                  found.empty()
                                      ? "no such folder or file"
                                      : "not there: " + some_names(missing)));
  std::vector<std::unique_ptr<ImageSource>> parts;
  for (const auto& path : found) parts.push_back(open_as(path, how));
  return make_union(std::move(parts), spec);
}

/// What follows `prefix`, if `text` begins with it.
std::optional<std::string> after(const std::string& text,
                                 std::string_view prefix) {
  if (!text.starts_with(prefix)) return {};
  return text.substr(prefix.size());
}

}  // namespace

std::vector<std::string> names_of(const ImageSource& source) {
  std::vector<std::string> names;
  names.reserve(size_t(source.size()));
  for (int64_t i = 0; i < source.size(); ++i) names.push_back(source.name(i));
  return names;
}

std::filesystem::path path_of_source(const std::string& spec) {
  std::error_code ignored;
  if (fs::exists(spec, ignored)) return spec;
  if (const auto rest = after(spec, kCached)) return path_of_source(*rest);
  const auto suffix = parse_suffix(spec);
  return suffix ? path_of_source(suffix->whole) : fs::path();
}

std::unique_ptr<ImageSource> open_source(const std::string& spec,
                                         const Preprocessing& how) {
  return open_source(spec, limits_of(how));
}

std::unique_ptr<ImageSource> open_source(const std::string& spec,
                                         const ImageLimits& limits) {
  return open_as(spec, {.limits = limits});
}

namespace {

std::unique_ptr<ImageSource> open_as(const std::string& spec,
                                     const Opening& how) {
  const auto& limits = how.limits;
  std::error_code ignored;
  if (fs::exists(spec, ignored)) return open_path(spec, spec, how);
  if (const auto rest = after(spec, kCached))
    return open_as(*rest, {.limits = limits, .keeps_copies = true});
  if (const auto suffix = parse_suffix(spec))
    return open_part(*suffix, spec, how);
  if (const auto split = after(spec, "fashion-mnist:"))
    return open_fashion_mnist(*split, spec, limits);
  if (const auto what = after(spec, "emoji:"))
    return open_emoji(*what, spec, limits);
  if (const auto numbers = after(spec, "synthetic:"))
    return open_synthetic(*numbers, spec);
  if (is_pattern(spec)) return open_pattern(spec, how);
  throw ConfigError(
      fmt::format("{}: no such folder, file or data set; expected a path, "
                  "fashion-mnist:train, fashion-mnist:test, emoji:google, "
                  "emoji:twitter or synthetic:COUNT",
                  printable(spec)));
}

}  // namespace

}  // namespace calotype
