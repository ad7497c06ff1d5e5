#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "datasets/transforms.h"

namespace calotype {

struct EvaluateJob {
  std::filesystem::path model;  // a codec, or a classifier
  std::string data;  // images; their labels are what a classifier is asked
  Preprocessing preprocessing;
  std::string dtype = "fp16";  // of the stored latents
  std::string reference;       // classifier: a set to compare the features with
  int64_t manifold_samples = 10'000;  // of each set, for what compares all
                                      // images with all; 0: every image
  std::string expect_classifier;      // SHA-256 of its weights; empty: any
  std::string cas;                // classifier: real images that one trained on
                                  // `data` is tested on; empty: none
  std::filesystem::path cas_run;  // its run folder; empty: a temporary one
  int64_t importance_samples = 0;  // variational: of the tighter bound; 0: none
  bool binarize = false;           // variational: black or white, drawn
  int64_t jacobian_probes = 0;     // CalotypeAutoencoder: directions; 0: none
  uint64_t seed = 0;               // of all draws
  int64_t batch_size = 128;
  int num_workers = 2;
  bool strict = false;
  c10::Device device{c10::kCPU};
};

/// With a codec: MSE, MAE, PSNR, SSIM of the reconstructions on the bytes that
/// a viewer sees, bits per pixel of the stored means, images/s. With a
/// classifier: the share of images that it gives the class that their folder
/// names. Real test images give its accuracy, drawn ones how often they show
/// what was asked for; with a reference, also what compare_sets() says of the
/// two sets in the classifier's features; with `cas`, also what
/// add_accuracy_score() says. A CalotypeAutoencoder adds what CodeReport says
/// of its codes.
Json evaluate(const EvaluateJob& job);

}  // namespace calotype
