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
  int64_t batch_size = 128;
  int num_workers = 2;
  bool strict = false;
  c10::Device device{c10::kCPU};
};

/// With a codec: MSE, MAE, PSNR, SSIM of the reconstructions on the bytes that
/// a viewer sees, bits per pixel of the stored means, images/s. With a
/// classifier: the share of images that it gives the class that their folder
/// names. Real test images give its accuracy, drawn ones how often they show
/// what was asked for.
Json evaluate(const EvaluateJob& job);

}  // namespace calotype
