#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/work_parts.h"
#include "evaluation/block_rows.h"
#include "images/transforms.h"

namespace calotype {

/// What to evaluate when it is no codec and no network: reconstructions that
/// are there already, and rows of features.
inline constexpr const char* kPairs = "pairs";
inline constexpr const char* kFeatures = "features";

class AccuracyScorer;
class MeasuredBlocks;

struct EvaluateJob {
  std::filesystem::path model;  // a codec, a feature network, pairs, features
  std::string data;  // images, or for `features` a store or a safetensors file;
                     // their labels are what a classifier is asked
  std::string reference;  // a set to compare with; of `pairs` the originals
  Preprocessing preprocessing;

  // Of a codec, and of pairs.
  std::string dtype = "fp16";                // of the stored latents
  std::string rounding = "round";            // round, truncate, float
  std::vector<std::filesystem::path> lpips;  // weights of its networks
  std::string features;  // the network that compares the set with its
                         // reconstructions; empty: none
  std::vector<std::string>
      beside;                      // formats to compare with, see lossy_formats
  int64_t beside_images = 200;     // on so many images
  int64_t importance_samples = 0;  // variational: of the tighter bound; 0: none
  bool binarize = false;           // variational: black or white, drawn
  int64_t jacobian_probes = 0;     // CalotypeAutoencoder: directions; 0: none

  // Of sets in the features of a network; the first three also with `features`.
  int64_t manifold_samples = 10'000;  // of each set, for what compares all
                                      // images with all; 0: every image
  std::string expect_network;         // SHA-256 of its weights; empty: any
  std::filesystem::path cache;        // where features are kept; empty: nowhere
  int64_t nearest = 0;  // images whose nearest reference ones are found
  std::string cas;      // classifier: real images that one trained on `data`
                        // is tested on; empty: none
  std::filesystem::path cas_run;  // its run folder; empty: a temporary one
  const AccuracyScorer* scorer = nullptr;  // who trains that one

  std::filesystem::path report;  // folder of the report; empty: none
  std::filesystem::path out;     // file of the result, JSON with the values of
                                 // each image; empty: none
  std::optional<Part> part;  // of the blocks of the images, that this process
                             // measures for `out`
  bool finishes = false;     // makes the result of parts that are all there
  uint64_t seed = 0;         // of all draws
  int64_t batch_size = 0;    // images; 0: as many as auto_batch_size() says
  int64_t max_batch_pixels = 0;  // a batch is full at so many; 0: no limit
  bool own_channels = false;     // see LoaderConfig; so it is with `pairs`
  int64_t images_per_block = kImagesPerBlock;  // see LoaderConfig
  const MeasuredBlocks* measured = nullptr;    // what parts have measured
  int num_workers = 2;
  bool strict = false;
  bool dry_run = false;  // say what would be done
  bool fresh = false;    // remove the report of another call
  c10::Device device{c10::kCPU};
};

/// Measures what `model` is asked for (docs/evaluation.md):
/// - a codec, or pairs: how far reconstructions are from the images, what they
///   cost to store, and with `features` how far the two sets are apart;
/// - a feature network, or features: how far `data` is from `reference`, and of
///   a classifier how often images show the class that their folder names.
/// Every result has 95 % intervals, where docs/evaluation.md names one, and the
/// protocol by which it was measured.
/// Sums are taken in blocks of the index, so that they depend neither on the
/// batch size nor on how many processes share the work: with `part` this one
/// measures some blocks and keeps them beside `out`; the last one, or one that
/// `finishes`, puts them together. Returns then which parts are missing, if any
/// are; asked to finish, it throws ConfigError that lists them.
/// With `report` it is also written there: index.html, result.json with the
/// values of each image, measures.csv and, of reconstructions, images.csv.
/// Throws ConfigError for a job that asks what the model cannot tell.
Json evaluate(const EvaluateJob& job);

}  // namespace calotype
