#pragma once

#include <cstdint>

// The arithmetic of ssim.h for one channel of one image, without LibTorch so
// that the compiler may vectorise it for the processor at hand.
namespace calotype {

/// The largest window, in pixels to either side of its middle.
constexpr int64_t kLargestSsimReach = 5;

/// What all planes of a call share.
struct SsimPlane {
  int64_t height = 0, width = 0;               // pixels, at least 2 * reach + 1
  int64_t reach = 0;                           // pixels to either side, 0 to 5
  double weights[kLargestSsimReach + 1] = {};  // of the middle, then outwards
  double c1 = 0, c2 = 0;

  /// Numbers of scratch memory that ssim_of_plane needs.
  int64_t scratch_size() const;
};

/// Means over all windows of one channel.
struct SsimMeans {
  double ssim = 0;
  double contrast_structure = 0;  // the same without the term of the means
};

/// `a`, `b`: height * width pixels. `scratch`: finite numbers.
SsimMeans ssim_of_plane(const SsimPlane& plane, const float* a, const float* b,
                        double* scratch);

}  // namespace calotype
