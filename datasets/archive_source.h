#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "datasets/image_source.h"

namespace calotype {

/// What a file is by its name's ending and its first bytes, where the name
/// promises an archive of images.
enum class ArchiveKind { kNone, kTar, kCompressedTar, kZip };

/// Throws DataError where the bytes are not what the ending says.
ArchiveKind archive_kind(const std::filesystem::path& path);

/// The images of an archive as they would be in a folder into which it was
/// unpacked: the same names, order and classes (see find_classes), the same
/// files left out, which is told in one line. Nothing is ever unpacked to disk.
/// What it holds is kept in the user's cache folder (see remembered_index). The
/// images of a compressed tar are in the order of the archive, since they can
/// be read in no other (see ImageSource::is_in_order). Throws DataError if the
/// archive is damaged or hostile (see TarReader, ZipArchive), ConfigError if it
/// is of a kind that is not supported, or holds no image.
std::unique_ptr<ImageSource> open_archive(const std::filesystem::path& path,
                                          ArchiveKind kind,
                                          const std::string& spec,
                                          const ImageLimits& limits);

/// The path of a plain copy of a compressed tar in the user's cache folder,
/// which is made if it is not there. Throws as open_archive, ConfigError where
/// there is no such folder or no room.
std::filesystem::path unpacked_copy(const std::filesystem::path& path);

}  // namespace calotype
