#include "images/image_notes.h"

#include <fmt/format.h>

namespace calotype {

void PassNotes::add(const std::string& name, const ImageNotes& notes) {
  ++num_images;
  if (!notes.remarks.empty())
    warnings.push_back(
        {name, fmt::format("{}", fmt::join(notes.remarks, "; "))});
  if (!notes.profile.empty()) ++profiles[notes.profile];
}

void PassNotes::add(const PassNotes& other) {
  num_images += other.num_images;
  warnings.insert(warnings.end(), other.warnings.begin(), other.warnings.end());
  for (const auto& [profile, count] : other.profiles)
    profiles[profile] += count;
}

}  // namespace calotype
