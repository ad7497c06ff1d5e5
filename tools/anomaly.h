#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <string>

#include "core/config.h"
#include "images/transforms.h"

namespace calotype {

struct AnomalyJob {
  std::filesystem::path codec;  // trained on what is normal
  std::string data;
  std::filesystem::path out;  // folder
  std::string anomalous;      // class names with commas; empty: unknown
  std::string score = "mse";  // mse, mae, ssim
  int64_t num_shown = 24;     // images in the picture of the highest scores
  Preprocessing preprocessing;
  int64_t batch_size = 64;
  int num_workers = 2;
  bool strict = false;
  bool fresh = false;  // remove what an earlier call wrote to `out`
  c10::Device device{c10::kCPU};
};

/// Scores each image by how badly the codec reconstructs it: scores.csv,
/// highest first; highest.png, the worst images with reconstruction and heat
/// map of the error on one common scale. With --anomalous, the ROC-AUC of the
/// scores.
Json anomaly(const AnomalyJob& job);

}  // namespace calotype
