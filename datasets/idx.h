#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/image_source.h"

// IDX, the format of MNIST and its family: a big-endian header, then bytes
// (http://yann.lecun.com/exdb/mnist/, "the IDX file format").
namespace calotype {

/// Grey images from `images` (unsigned bytes [count, height, width], gzipped or
/// not), with the labels of the file beside it whose name has "labels-idx1" for
/// "images-idx3", if there is one. Without `class_names` classes are named by
/// their numbers. Names of images are their positions ("00042"). Throws
/// DataError.
std::unique_ptr<ImageSource> open_idx(
    const std::filesystem::path& images, const std::string& spec,
    const ImageLimits& limits, std::vector<std::string> class_names = {});

/// `split`: train or test. Looks in $CALOTYPE_DATASETS/fashion-mnist, then
/// where Debian's package puts it. Throws ConfigError that says how to get it.
std::unique_ptr<ImageSource> open_fashion_mnist(const std::string& split,
                                                const std::string& spec,
                                                const ImageLimits& limits);

}  // namespace calotype
