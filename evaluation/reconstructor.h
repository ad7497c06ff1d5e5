#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "core/config.h"
#include "datasets/loader.h"
#include "evaluation/evaluate.h"
#include "models/codec_cost.h"
#include "vae/autoencoder.h"

namespace calotype {

/// What became of a batch of images.
struct Reconstructed {
  at::Tensor images;        // [N,C,H,W] in [-1,1] on the CPU
  at::Tensor stored_bytes;  // double [N]; undefined if nobody knows
  at::Tensor tokens;        // int64 [N,L,h,w] of a tokenizer, or undefined
};

/// Makes reconstructions of images, or finds them.
class Reconstructor {
 public:
  virtual ~Reconstructor() = default;

  /// A function of the images alone. Throws ConfigError for a size that it
  /// cannot take, DataError for one that is not there.
  virtual Reconstructed reconstruct(const ImageBatch& batch) = 0;

  /// What an image of the set costs; nothing where none are made.
  virtual RowCost cost(const ImageSource&, const Preprocessing&) { return {}; }

  /// What was measured: the codec, or where the reconstructions came from.
  virtual Json subject() const = 0;

  /// Of a tokenizer which codebook each level of tokens is of, and their codes.
  virtual std::vector<int64_t> codebooks() const { return {}; }
  virtual int64_t num_codes() const { return 0; }

  /// The model whose codes can be looked into; null otherwise.
  virtual CalotypeAutoencoderImpl* autoencoder() { return nullptr; }
};

/// The codec of the job; sets what it decides of the preprocessing.
std::unique_ptr<Reconstructor> open_codec_reconstructor(EvaluateJob& job);

/// The images of `job.data`, each for the one of its name in `originals`; see
/// pair_images().
std::unique_ptr<Reconstructor> open_pairs(const EvaluateJob& job,
                                          const ImageSource& originals);

}  // namespace calotype
