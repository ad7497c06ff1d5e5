#include "tools/image_files.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"

namespace calotype {

namespace fs = std::filesystem;

fs::path grid_file(const fs::path& folder) {
  auto path = (folder / "").parent_path();  // without a slash at the end
  return path += ".png";
}

fs::path preview_file(const fs::path& folder) {
  return grid_file(folder).replace_extension(".preview.png");
}

ImageFolderWriter::ImageFolderWriter(const fs::path& folder) : folder_(folder) {
  make_folder(folder);
}

void ImageFolderWriter::write(const std::string& name, const at::Tensor& pixels,
                              const PngText& text) {
  const auto path = fs::path(name).lexically_normal();
  if (path.empty() || path.is_absolute() || *path.begin() == ".." ||
      !path.has_filename())
    throw DataError(
        fmt::format("image name \"{}\" leads out of the folder", name));
  auto target = fs::path(path).replace_extension(".png");
  if (taken_.count(target)) target = path.string() + ".png";
  if (!taken_.insert(target).second)
    throw DataError(
        fmt::format("image name \"{}\" stands twice in the set", name));
  make_folder((folder_ / target).parent_path());
  write_file_atomic(folder_ / target, encode_png(to_image(pixels), text));
}

}  // namespace calotype
