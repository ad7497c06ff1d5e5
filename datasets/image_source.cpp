#include "datasets/image_source.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "datasets/emoji.h"
#include "datasets/folder_walk.h"
#include "datasets/idx.h"
#include "datasets/idx_file.h"
#include "datasets/image_folder.h"
#include "datasets/printable.h"
#include "datasets/subset_source.h"
#include "datasets/synthetic.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// A whole number that is all of `text`.
std::optional<int64_t> parse_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    return {};
  return value;
}

/// "SPEC[inside]" as its two parts.
std::optional<std::pair<std::string, std::string>> parse_suffix(
    const std::string& spec) {
  const auto bracket = spec.rfind('[');
  if (bracket == std::string::npos || !spec.ends_with(']')) return {};
  return {{spec.substr(0, bracket),
           spec.substr(bracket + 1, spec.size() - bracket - 2)}};
}

/// The part of a source that "[A:B]", "[class=NAME,...]" or "[class!=NAME,...]"
/// keeps; null if `inside` is none of these.
std::unique_ptr<ImageSource> open_part(const std::string& whole,
                                       const std::string& inside,
                                       const std::string& spec,
                                       const ImageLimits& limits) {
  for (const bool all_others : {false, true}) {
    const std::string_view key = all_others ? "class!=" : "class=";
    if (inside.starts_with(key))
      return select_classes(open_source(whole, limits),
                            split_at_commas(inside.substr(key.size())),
                            all_others, spec);
  }
  const auto colon = inside.find(':');
  if (colon == std::string::npos) return {};
  const auto first = inside.substr(0, colon), second = inside.substr(colon + 1);
  const auto begin = parse_number(first), end = parse_number(second);
  if ((!begin && !first.empty()) || (!end && !second.empty())) return {};
  const std::shared_ptr<const ImageSource> source = open_source(whole, limits);
  return make_slice(source, begin.value_or(0), end.value_or(source->size()),
                    spec);
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
        parse_number(std::string_view(numbers).substr(at, colon - at));
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
                                       const ImageLimits& limits) {
  if (fs::is_directory(path)) return open_image_folder(path, spec, limits);
  if (!fs::is_regular_file(path))
    throw ConfigError(printable(spec) + ": neither a folder nor a file");
  return looks_like_idx(read_leading_bytes(path))
             ? open_idx(path, spec, limits)
             : open_image_file(path, spec, limits);
}

/// What follows `prefix`, if `text` begins with it.
std::optional<std::string> after(const std::string& text,
                                 std::string_view prefix) {
  if (!text.starts_with(prefix)) return {};
  return text.substr(prefix.size());
}

}  // namespace

std::unique_ptr<ImageSource> open_source(const std::string& spec,
                                         const Preprocessing& how) {
  return open_source(spec, limits_of(how));
}

std::unique_ptr<ImageSource> open_source(const std::string& spec,
                                         const ImageLimits& limits) {
  std::error_code ignored;
  if (fs::exists(spec, ignored)) return open_path(spec, spec, limits);
  if (const auto suffix = parse_suffix(spec))
    if (auto part = open_part(suffix->first, suffix->second, spec, limits))
      return part;
  if (const auto split = after(spec, "fashion-mnist:"))
    return open_fashion_mnist(*split, spec, limits);
  if (const auto what = after(spec, "emoji:"))
    return open_emoji(*what, spec, limits);
  if (const auto numbers = after(spec, "synthetic:"))
    return open_synthetic(*numbers, spec);
  throw ConfigError(
      fmt::format("{}: no such folder, file or data set; expected a path, "
                  "fashion-mnist:train, fashion-mnist:test, emoji:google, "
                  "emoji:twitter or synthetic:COUNT",
                  printable(spec)));
}

}  // namespace calotype
