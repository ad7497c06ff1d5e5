#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "core/config.h"
#include "images/image.h"
#include "images/image_io.h"

// Resize, crop, flip: the only user of OpenCV.
namespace calotype {

/// How files become tensors of one kind; part of every store's and run's
/// record.
struct Preprocessing {
  int64_t size = 0;  // edge of the square in pixels; 0 keeps each size
  std::string resize =
      "area";  // how: area, bilinear, bicubic (all antialiased), none;
               // aliased: bilinear that skips pixels, for comparison with those
               // who do so
  std::string crop =
      "center";          // to the square: center, random (training), squash
  int64_t channels = 0;  // 1 grey, 3 RGB, 0 as the first image has
  bool flip = false;     // mirror half of the images (training)

  // Of a file; above it only JPEG is read, where it is resized with
  // antialiasing: at the largest eighth of its size that is within the limit
  // and not below `size`.
  int64_t max_pixels = ImageLimits().max_pixels;

  std::string icc = "keep";  // colour profiles: keep takes pixels as stored,
                             // convert makes them sRGB

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(Preprocessing& c, Visitor&& visit) {
  visit("size", c.size);
  visit("resize", c.resize);
  visit("crop", c.crop);
  visit("channels", c.channels);
  visit("flip", c.flip);
  visit("max_pixels", c.max_pixels);
  visit("icc", c.icc);
}

/// `how` as stores, protocols and caches keep it: a key that came after their
/// first version is there only where it says something else than its default,
/// so that what an older version wrote is the same record.
Json preprocessing_record(const Preprocessing& how);

/// How the files are read that `how` is for.
ImageLimits limits_of(const Preprocessing& how);

/// Random numbers of one image, each in (0,1): a function of (seed, epoch,
/// index).
struct Augmentation {
  double flip = 0.75;   // mirrored if below 0.5
  double crop_x = 0.5;  // where a random crop lies
  double crop_y = 0.5;
};

/// The image as `how` says: shorter side resized to `size` with an antialiasing
/// kernel, cropped to the square, grey <-> RGB (ITU-R BT.601 luma), mirrored.
/// "area" enlarges bilinearly. Throws DataError for an image that is smaller
/// than `size` without a resize, or narrower than 1:100.
Image preprocess(Image image, const Preprocessing& how,
                 const Augmentation& draw = {});

/// Lets the loader's threads be the parallelism of a program: OpenCV, which
/// keeps its number of threads for the whole process, starts none of its own.
void resize_on_calling_thread();

}  // namespace calotype
