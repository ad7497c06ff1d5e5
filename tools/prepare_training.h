#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/codec_record.h"
#include "models/codec.h"
#include "models/registry.h"
#include "tools/train.h"
#include "tools/train_data.h"

// What a configuration asks for, made: a model, its data and its loss.
namespace calotype {

/// A training that can begin.
struct Prepared {
  // With every key: what runs, and what run.json keeps.
  TrainConfig config;
  TrainerSetup setup;
  AnyModel model;
  std::vector<std::string> class_names;  // of the labels; empty: none
  CodecRecord latents_by;  // what made the latents or tokens that are learnt
  std::vector<std::string> decodes;  // codecs whose latents a decoder learns
  DataRecords records;               // of what it reads
  std::vector<std::string> files;    // that are written beside the model
  // Leaves a pipeline beside the model, made of it; null unless the job wants
  // one.
  std::function<void()> leave_pipeline;
};

/// The one place where a configuration is resolved: `job.config` read into the
/// types of its class, its defaults filled in, and held against the data.
/// Throws ConfigError for what cannot be trained, before anything is written.
Prepared prepare_training(const TrainJob& job);

/// Of a denoiser, on a store of latents; `prepared.config` is as it was asked
/// for, and is resolved here.
void prepare_diffusion(Prepared& prepared, const ModelClass& known,
                       const TrainJob& job);

/// Of a small codec, from a teacher or a store of its latents.
void prepare_distillation(Prepared& prepared, const ModelClass& known,
                          const TrainJob& job);

/// The codec that a store remembers, if it is there and is still the one;
/// nothing, and a note that says so and what comes of it, if not.
std::optional<LoadedCodec> remembered_codec(const StoreReader& store,
                                            c10::Device device,
                                            const std::string& so);

/// Of a generator of tokens, on a store of them.
void prepare_generator(Prepared& prepared, const ModelClass& known,
                       const TrainJob& job);

/// A new model of `keys`; `prepared.config.model` then has all keys of its
/// class.
const AnyModel& make_model(Prepared& prepared, const ModelClass& known,
                           const Json& keys);

}  // namespace calotype
