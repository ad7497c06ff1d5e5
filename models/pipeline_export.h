#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/config.h"
#include "diffusion/latent_space.h"
#include "diffusion/scheduler_config.h"
#include "nn/safetensors.h"

// Runs of latent diffusion as pipelines that diffusers opens.
namespace calotype {

/// What a pipeline is made of.
struct PipelineSource {
  std::string denoiser_class;  // of the run
  Json denoiser_config;        // with every key
  SchedulerConfig scheduler;
  double label_dropout = 0;  // with which it was trained
  LatentSpace space;
  std::filesystem::path codec;  // its model folder
};

/// Throws ConfigError that says why diffusers cannot draw from `source`.
void expect_pipeline(const PipelineSource& source);

/// Writes model_index.json and the parts beside it, `weights` being those of
/// the denoiser. A pipeline scales latents by one number, so that what the run
/// normalises by goes into the first and last convolution of an AutoencoderKL;
/// a U-Net is shown no classes, so that it becomes the one of no class; a DiT's
/// null class is number 1000, so that its table is filled up to there. Notes
/// say where pictures of the pipeline are others than those of the run. Throws
/// as expect_pipeline.
void write_pipeline(const std::filesystem::path& out,
                    const PipelineSource& source, const TensorFile& weights);

/// All files that it may write, as paths in `out`.
std::vector<std::string> pipeline_files();

}  // namespace calotype
