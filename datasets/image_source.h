#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "images/image.h"
#include "images/image_io.h"
#include "images/transforms.h"

namespace calotype {

/// One image as its source holds it.
struct SourceImage {
  Image image;
  uint64_t hash = 0;  // XXH3 of the file, or of the pixels if there is no file
  int64_t file_bytes = 0;  // of its own file; 0: it has none
  ImageNotes notes;
};

/// An ordered set of images with names and labels. All functions may be called
/// from several threads at once.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  virtual int64_t size() const = 0;

  /// Reads and decodes image `index`. Throws DataError if the file is bad.
  virtual SourceImage load(int64_t index) const = 0;

  /// Unique within the source; for folders the path below it ("shirt/12.png").
  virtual std::string name(int64_t index) const = 0;

  /// Class in [0, class_names().size()), or -1.
  virtual int64_t label(int64_t index) const = 0;

  virtual std::vector<std::string> class_names() const = 0;

  /// What the user would type to open it again.
  virtual std::string spec() const = 0;

  /// SourceImage::hash of each of `indices`, without decoding where it is of a
  /// file; 0 for one that cannot be read. Throws Interrupted.
  virtual std::vector<uint64_t> content_hashes(
      const std::vector<int64_t>& indices) const;

  /// 16 hex digits that change when names, classes or contents of the images
  /// change, or their order; where they lie and when they were written does not
  /// count. Reads all files when it is first asked for.
  virtual std::string fingerprint() const;

  /// Whether images can be had quickly in the order of their indices alone.
  virtual bool is_in_order() const { return false; }

  /// Files that were seen and are no images (text files and the like).
  virtual std::vector<std::string> ignored_files() const { return {}; }
};

/// Opens what --data names: a folder of images (sub-folders are classes), one
/// image, an archive of them (.tar, compressed or not, .zip; see open_archive),
/// a list of paths (.txt, .csv, .jsonl; see open_path_list), an IDX file
/// (gzipped or not), `fashion-mnist:train` or `:test`,
/// `emoji:google` or `:twitter` (see open_emoji), or
/// `synthetic:COUNT[:SIZE[:CHANNELS[:SEED]]]`. A suffix `[A:B]` keeps images A
/// to B-1, either of which may be left out; `[class=NAME,...]` keeps classes,
/// `[class!=NAME,...]` all others, images of no class among them. Several as
/// one by wildcards, `{a,b}` or `{000..127}` (see make_union). `cached:` ahead
/// of it keeps plain copies of what is compressed (see unpacked_copy). What
/// exists as a path is a path. Throws
/// ConfigError that says what is missing and how to get it, DataError if an IDX
/// file is bad.
std::unique_ptr<ImageSource> open_source(const std::string& spec,
                                         const ImageLimits& limits = {});

/// The same, with files read as `how` needs them.
std::unique_ptr<ImageSource> open_source(const std::string& spec,
                                         const Preprocessing& how);

/// The names of all images.
std::vector<std::string> names_of(const ImageSource& source);

/// The file or folder that a source's images are read from; empty for one that
/// is none of the user's paths.
std::filesystem::path path_of_source(const std::string& spec);

}  // namespace calotype
