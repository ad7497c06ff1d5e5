#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace calotype {

/// What there is to say of an image file that was read all the same.
struct ImageNotes {
  /// Faults of the file that every viewer forgives, and a reduced scale.
  std::vector<std::string> remarks;

  /// Name of a colour profile other than sRGB that was left alone; "" if none.
  std::string profile;

  /// Height and width of the picture in the file, upright, where it was decoded
  /// at a reduced scale; else zeros.
  std::array<int64_t, 2> reduced_from{};
};

struct NotedImage {
  std::string name, reason;
};

/// The notes of a pass over images.
struct PassNotes {
  int64_t num_images = 0;
  std::vector<NotedImage> warnings;  // one for each image that has remarks
  std::map<std::string, int64_t> profiles;  // how many images, by its name

  void add(const std::string& name, const ImageNotes& notes);
  void add(const PassNotes& other);
};

}  // namespace calotype
