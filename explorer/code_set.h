#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/image_source.h"
#include "images/transforms.h"
#include "models/codec.h"

namespace calotype {

/// The codes of a set of images of one shape, in memory. A code is the mean of
/// a latent grid [D,h,w], as one row of n = D h w numbers.
struct CodeSet {
  at::Tensor mean;     // [N,n] float
  at::Tensor logvar;   // the same, or undefined
  at::Tensor tokens;   // of a tokenizer: [N,L,h,w] int32; else undefined
  at::Tensor labels;   // [N] int64, -1 where unknown
  at::Tensor indices;  // [N] int64, position in the source
  std::vector<std::string> names;
  std::vector<std::string> class_names;
  std::vector<int64_t> grid_shape;  // D, h, w
  std::vector<int64_t> image_size;  // H, W
  std::string spec;                 // of the images, or where the codes lie
  std::shared_ptr<const ImageSource> images;  // null: not at hand
  Preprocessing preprocessing;

  int64_t size() const { return mean.defined() ? mean.size(0) : 0; }
};

struct CodeSetJob {
  std::string data;             // a source, to be encoded
  std::filesystem::path store;  // or a store
  bool any_codec = false;       // whichever codec the store is of
  int64_t limit = 100'000;      // only the first so many rows
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  c10::Device device{c10::kCPU};
};

/// Encodes images. Throws ConfigError for images of different sizes: they have
/// no plane in common.
CodeSet encode_code_set(const LoadedCodec& codec, const CodeSetJob& job);

/// Reads codes that the same codec made; the images that they are of are opened
/// where the store says that they were, and a note says if they are not there.
/// Of a store of tokens, which lie in no plane, these images are encoded anew.
/// Throws ConfigError for a store of another codec, of several grid shapes, or
/// of tokens whose images are not at hand.
CodeSet read_code_set(const LoadedCodec& codec, const CodeSetJob& job);

/// Image `row` as the codec is given it, [1,C,H,W] in [-1,1]; undefined if it
/// is not at hand, or not of the set's size. Throws DataError if its file is
/// bad by now.
at::Tensor image_of(const CodeSet& set, int64_t row);

/// A plane through the space of codes.
struct CodePlane {
  std::vector<std::string> labels;  // of both axes
  at::Tensor origin;                // [n] double
  at::Tensor directions;            // [2,n] double, orthonormal
  at::Tensor points;                // [N,2] double, where the codes lie in it
  std::vector<double> shares;  // of the variance, along each; of axes that are
                               // principal components

  /// Covariances [N,3] (xx, xy, yy) of Gaussians [N,n] in the plane.
  at::Tensor spread_of(const at::Tensor& logvar) const;
};

/// Squared distance of each code of the set from the plane's parallel through
/// `code` [n]: [N] double.
at::Tensor squared_distances_off(const CodeSet& set, const CodePlane& plane,
                                 const at::Tensor& code);

/// What the distance of a code from its nearest other usually is: the 95th
/// percentile over some codes, spread over the set.
double usual_distance(const CodeSet& set);

/// The two numbers of codes that have two; else principal components, of the
/// first thousand codes where codes are long, which a note says.
CodePlane usual_plane(const CodeSet& set);

/// Numbers `x` and `y` of the code. Throws ConfigError unless both are in
/// [0,n) and differ.
CodePlane plane_of_numbers(const CodeSet& set, int64_t x, int64_t y);

/// A code of the set, and how far it is.
struct NearCode {
  int64_t row = 0;
  double distance = 0;  // Euclidean
};

/// The `count` nearest codes to `code` [n], nearest first, by distances in
/// double.
std::vector<NearCode> nearest_codes(const CodeSet& set, const at::Tensor& code,
                                    int64_t count);

/// Where the codes nearest to `code` [n] vary most: up to `count` directions
/// [k,n] double, each as long as its standard deviation; of `neighbours` codes.
at::Tensor local_directions(const CodeSet& set, const at::Tensor& code,
                            int64_t count, int64_t neighbours = 64);

/// Of each class that is there, the image whose code is nearest to the mean of
/// its class; of a set without classes, `count` images spread over it.
std::vector<int64_t> typical_rows(const CodeSet& set, int64_t count);

}  // namespace calotype
