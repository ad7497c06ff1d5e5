#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"

// Walks through the space of codes, drawn as pictures.
namespace calotype {

struct InterpolateJob {
  std::filesystem::path codec;
  std::string from, to;         // sources; the first image of each
  std::filesystem::path out;    // PNG
  std::string path = "linear";  // linear, spherical
  int64_t count = 9;            // pictures, both ends included
  Preprocessing preprocessing;
  c10::Device device{c10::kCPU};
};

/// A strip of decoded codes between two images, the images themselves at its
/// ends.
Json interpolate(const InterpolateJob& job);

/// The point at `t` in [0,1] between codes a and b of any one shape. Spherical:
/// along the great circle, lengths included (Shoemake, SIGGRAPH 1985; for
/// latents arXiv:1609.04468, section 2.1); linear where the two are parallel.
at::Tensor between(const at::Tensor& a, const at::Tensor& b, double t,
                   bool spherical);

struct TraverseJob {
  std::filesystem::path codec;
  std::string data;           // the first image is where the walk starts
  std::filesystem::path out;  // PNG
  int64_t num_directions = 10;
  int64_t count = 9;     // pictures per direction
  double range = 3;      // standard deviations to either side
  int64_t limit = 1024;  // images by which the numbers are measured
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  c10::Device device{c10::kCPU};
};

/// A row per code number (of a grid: per channel), those that vary most over
/// the set first: the first image with that number moved by -range to +range of
/// its standard deviations.
Json traverse(const TraverseJob& job);

}  // namespace calotype
