#include "report/skipped.h"

#include <memory>
#include <mutex>
#include <set>

namespace calotype {
namespace {

constexpr int64_t kMaxLines = 20;  // of warnings on stderr

void report_warnings(Json& result, const std::vector<NotedImage>& warnings) {
  if (warnings.empty()) return;
  Json list = Json::array();
  for (const auto& image : warnings) {
    if (std::ssize(list) < kMaxLines)
      fmt::print(stderr, "warning: {}: {}\n", image.name, image.reason);
    list.push_back({{"name", image.name}, {"reason", image.reason}});
  }
  if (const auto more = std::ssize(list) - kMaxLines; more > 0)
    fmt::print(stderr, "warning: so with {} more images; --json lists all\n",
               more);
  result["num_warnings"] = list.size();
  result["warnings"] = list;
}

void report_profiles(Json& result, const PassNotes& notes) {
  if (notes.profiles.empty()) return;
  int64_t count = 0;
  std::string names;
  for (const auto& [name, images] : notes.profiles) {
    count += images;
    names += (names.empty() ? "" : ", ") + name;
    result["color_profiles"][name] = images;
  }
  fmt::print(
      stderr,
      "{} of {} images have a colour profile other than sRGB ({}): their "
      "pixels are taken as stored; --icc convert makes them sRGB\n",
      count, notes.num_images, names);
}

}  // namespace

void report_skipped(Json& result, const std::vector<SkippedImage>& skipped,
                    const PassNotes& notes) {
  Json list = Json::array();
  for (const auto& image : skipped) {
    fmt::print(stderr, "skipped {}: {}\n", image.name, image.reason);
    list.push_back({{"name", image.name}, {"reason", image.reason}});
  }
  result["num_skipped"] = list.size();
  if (!list.empty()) result["skipped"] = list;
  report_warnings(result, notes.warnings);
  report_profiles(result, notes);
}

std::function<void(const std::string&, const ImageNotes&)> tell_notes_once() {
  struct Told {
    std::mutex mutex;
    std::set<std::string> images, profiles;
  };
  return [told = std::make_shared<Told>()](const std::string& name,
                                           const ImageNotes& notes) {
    const std::lock_guard lock(told->mutex);
    const auto is_new =
        !notes.remarks.empty() && told->images.insert(name).second;
    if (is_new && std::ssize(told->images) <= kMaxLines)
      fmt::print(stderr, "warning: {}: {}\n", name,
                 fmt::join(notes.remarks, "; "));
    if (is_new && std::ssize(told->images) == kMaxLines + 1)
      fmt::print(stderr, "warning: so with more images\n");
    if (!notes.profile.empty() && told->profiles.insert(notes.profile).second)
      fmt::print(
          stderr,
          "{} has the colour profile {}: pixels of such images are taken "
          "as stored; icc convert makes them sRGB\n",
          name, notes.profile);
  };
}

}  // namespace calotype
