#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <optional>
#include <string>

#include "core/config.h"
#include "distributed/launch.h"
#include "images/transforms.h"

namespace calotype {

struct EncodeJob {
  std::filesystem::path codec;   // model folder or run folder of a codec
  std::string data;              // --data, see open_source
  std::filesystem::path out;     // latent store
  Preprocessing preprocessing;   // channels are the codec's
  std::string kind = "auto";     // latents, tokens; auto: tokens if it has them
  std::string dtype = "fp16";    // of the stored moments: fp32, fp16, bf16
  std::string packing = "none";  // of tokens: none, bits, entropy
  std::string precision = "fp32";  // asked for; auto: as a store that is there
  bool flips = false;              // latents of the mirror images too
  int64_t batch_size = 64;         // images per forward pass
  int64_t rows_per_shard = 8192;
  int num_workers = 2;       // decoding threads
  bool strict = false;       // stop at the first bad image
  bool dry_run = false;      // say what would be done
  std::optional<Part> part;  // of the set, that this process encodes
  bool finishes = false;     // makes the store of parts that are all there
  c10::Device device{c10::kCPU};
};

/// Encodes a set of images into a store of latents, or of tokens in the
/// smallest type that holds them, or goes on with one that was broken off.
/// Where the set changed since, the rows of images that did not are copied, the
/// rest is encoded, and the new store, which is that of a fresh encode, takes
/// the old one's place (see store_replacing). A store of latents gets a linear
/// map to small images (see fit_preview). Returns counts, rates and the list of
/// skipped images.
Json encode(const EncodeJob& job);

}  // namespace calotype
