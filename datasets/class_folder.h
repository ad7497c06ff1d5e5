#pragma once

#include <string>
#include <string_view>

namespace calotype {

/// `name` as it is, if a file system takes its bytes; otherwise its begin, the
/// hash of all of it, and `ending`, in 255 bytes.
std::string shortened_name(const std::string& name,
                           const std::string& ending = "");

/// The folder that holds the images of a class: its name, but for what a folder
/// cannot be called. "/", a percent sign that two hex digits follow, a dot at
/// the beginning and an empty name become "%" and hex digits ("T-shirt%2Ftop");
/// a name of more than 255 bytes is cut, and its hash put behind it. Two
/// classes never share a folder.
std::string class_folder(std::string_view class_name);

/// The class whose folder this is: class_folder() undone, or the folder's own
/// name where that has made none of it.
std::string class_of_folder(std::string_view folder);

}  // namespace calotype
