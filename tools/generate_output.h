#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "diffusion/latent_space.h"
#include "models/codec.h"
#include "tools/generate.h"
#include "tools/init_image.h"

namespace calotype {

/// The codec that the job names, or that the model remembers. Throws
/// ConfigError if there is none, or if it is another than the model was trained
/// on.
LoadedCodec codec_of(const GenerateJob& job, const LatentSpace& space);

/// Images that are drawn together, of those of a call.
struct DrawnRows {
  at::Tensor samples, labels;  // int64 [N]
  int64_t begin = 0;           // of the first, among all
};

/// Where drawn latents go.
class GenerateOutput {
 public:
  virtual ~GenerateOutput() = default;

  /// Whether an earlier call that was broken off has written all of these.
  virtual bool has(const DrawnRows& rows) = 0;

  /// Latents [N,D,h,w], or tokens [N,L,h,w] int64.
  virtual void add(const at::Tensor& latents, const DrawnRows& rows) = 0;

  /// Shows latents that are still being drawn.
  virtual void preview(const at::Tensor& latents) = 0;

  /// What was added is on the disk, as far as images are; those of a store are
  /// once their shard is full.
  virtual void flush() = 0;

  /// To be called when all are there, whoever has drawn them.
  virtual void finish() = 0;

  /// What they depend on.
  virtual Json settings() const = 0;
};

/// What is drawn into and how it is told.
struct OutputSetup {
  const GenerateJob& job;
  const LatentSpace& space;
  Json recipe;
  bool tokens = false;               // what is drawn are tokens
  std::optional<LoadedCodec> codec;  // decodes; none where latents are stored
  const InitImage* init = nullptr;   // what is pasted outside of its mask
  std::vector<int64_t> classes = {-1};  // that the samples take in turn
};

/// Height and width of the images that the codec of `setup` makes.
std::array<int64_t, 2> decoded_size(const OutputSetup& setup);

/// PNG files by class and a grid of the first 100, or fewer of large ones.
std::unique_ptr<GenerateOutput> image_output(OutputSetup setup);

/// Whether the store that the job names holds just what it would draw.
bool is_drawn_already(const OutputSetup& setup);

/// A latent store; one that was broken off goes on. Throws ConfigError for a
/// folder that holds anything else.
std::unique_ptr<GenerateOutput> store_output(OutputSetup setup);

}  // namespace calotype
