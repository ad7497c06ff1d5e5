#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "datasets/image.h"

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

  void validate() const;  // throws ConfigError
};

template <class Visitor>
void visit_fields(Preprocessing& c, Visitor&& visit) {
  visit("size", c.size);
  visit("resize", c.resize);
  visit("crop", c.crop);
  visit("channels", c.channels);
  visit("flip", c.flip);
}

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

}  // namespace calotype
