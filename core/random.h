#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

// Counter-based randomness: every draw is a pure function of what it is for, so
// neither batch size, thread count, device nor a restart can change it.
// Philox4x32-10: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC 2011, section 3.3.
namespace calotype {

/// What a draw is for; two purposes never share numbers.
enum class Stream : uint32_t {
  kOrder = 1,      // the order of the data
  kFlip,           // mirror an image or not
  kPosterior,      // a draw from an encoder's Gaussian
  kTimestep,       // the noise level of a training sample
  kTrainingNoise,  // the noise added to a training sample
  kLabelDropout,   // hide a label or not
  kInitialNoise,   // where a sampler starts
  kSamplerNoise,   // what a stochastic sampler adds on the way
  kSynthetic,      // drawn test images
  kWeights,        // initial weights
  kCorruption,     // what a denoising autoencoder's input suffers
  kMask,           // which patches are hidden
  kBinarize,       // grey values to black or white
  kProbe,          // directions of a stochastic trace estimate
  kPrior,          // codes drawn from the prior
  kCodebook,       // first values and restarts of codes
  kStoredFlip,     // an image's stored latents or those of its mirror image
  kBootstrap,      // images drawn again, for an interval
  kGroup,          // which group of a set an image is in
};

/// Four 32-bit words from a 128-bit counter and a 64-bit key.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint64_t key);

/// Names one draw: sample `sample` at step `step` of the run seeded `seed`.
struct Draw {
  uint64_t seed = 0;
  Stream stream = Stream::kOrder;
  uint64_t sample = 0;  // below 2^56
  uint32_t step = 0;
};

/// A number in (0,1).
double uniform(const Draw& draw);

/// A whole number in [0, count); count > 0.
int64_t uniform_index(const Draw& draw, int64_t count);

/// The first `num` of a row of whole numbers in [0, count), four for each block
/// of the generator. A number's chance is 1 / count to within 2^-32; count <=
/// 2^31.
void uniform_indices(const Draw& draw, int64_t count, int64_t num,
                     int32_t* out);

/// Standard normal float tensor [N, sample_shape...] on the CPU. Row k depends
/// on (seed, stream, samples[k], step) alone. `samples`: int64 [N].
at::Tensor normal_rows(at::IntArrayRef sample_shape, const at::Tensor& samples,
                       uint64_t seed, Stream stream, uint32_t step = 0);

/// The same with numbers in (0,1): [N, sample_shape...].
at::Tensor uniform_rows(at::IntArrayRef sample_shape, const at::Tensor& samples,
                        uint64_t seed, Stream stream, uint32_t step = 0);

/// A permutation of [0, size) that is a function of (seed, epoch) and costs no
/// memory: a Feistel network over the next power of four, walked until it lands
/// inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
class Permutation {
 public:
  Permutation(int64_t size, uint64_t seed, uint32_t epoch);

  /// Where position `index` of the epoch takes its sample from.
  int64_t operator()(int64_t index) const;

 private:
  uint64_t encipher(uint64_t value) const;

  uint64_t size_;
  uint64_t seed_;
  uint32_t epoch_;
  uint32_t half_bits_;
};

}  // namespace calotype
