#pragma once

#include <string>
#include <vector>

namespace calotype {

/// The PNG files, below some folder, that images of these names are written to:
/// all are known before the first is written. A name that ends in .png is kept.
/// Another image's ending becomes .png, unless another image of the set would
/// have the same file: then ".png" stands behind the whole name, as it does
/// behind a name without an image's ending ("22.05.png" for "22.05"). What is
/// too long for a file name is cut, and its hash put behind it. Both are told,
/// if `tells`.
/// `names`: printable; the files have the bytes that those stand for. Throws
/// DataError for a name that leads out of the folder or stands twice.
std::vector<std::string> output_names(const std::vector<std::string>& names,
                                      bool tells = true);

/// `name` without an image's ending: "1" of "1.jpg", "22.05" of "22.05".
std::string without_image_ending(const std::string& name);

}  // namespace calotype
