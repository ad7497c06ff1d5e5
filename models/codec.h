#pragma once

#include <c10/core/Device.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/codec_record.h"
#include "core/config.h"
#include "images/transforms.h"
#include "models/codec_cost.h"
#include "nn/latent_codec.h"
#include "nn/tokenizer.h"

namespace calotype {

/// A codec read from its model folder, ready to encode and decode.
struct LoadedCodec {
  std::shared_ptr<LatentCodec> codec;
  std::shared_ptr<Tokenizer> tokenizer;  // the same model, if it is one
  std::filesystem::path path;
  std::string class_name;
  std::string sha256;  // of the weights
  Json config;
  // Of codecs whose latents it decodes as well; see ModelFolder.
  std::vector<std::string> latents_of;
  std::shared_ptr<CodecCost> cost;  // of an image, in memory and time
};

/// A model folder, a pipeline whose codec is meant, or "pixels:1" or
/// "pixels:3", which leave grey or RGB images as they are. Throws ConfigError
/// if the folder holds no codec.
LoadedCodec load_codec(const std::filesystem::path& path, c10::Device device);

/// Whether there is something to load: a folder, or pixels.
bool is_codec_there(const std::filesystem::path& path);

/// Sets what the codec decides: channels, and the size if it takes but one.
/// Throws ConfigError for another size.
void fit_preprocessing(const LoadedCodec& codec, Preprocessing& preprocessing);

/// Throws ConfigError where images as they are prepared do not fit into memory,
/// one by one; where sizes differ, some are looked at.
void expect_fits(const LoadedCodec& codec, const ImageSource& source,
                 const Preprocessing& preprocessing, CodecPass pass);

/// The same of the images [N,C,H,W] of a batch.
void expect_fits(const LoadedCodec& codec, const at::Tensor& images,
                 CodecPass pass);

/// What stores and recipes say of it: class, sha256, path, config; of a
/// tokenizer num_codes, and codebooks, that of each level.
CodecRecord codec_record(const LoadedCodec& codec);

/// Throws ConfigError unless the codec decodes latents of `depth` numbers to a
/// cell; `where` has them.
void expect_depth(const LoadedCodec& codec, int64_t depth,
                  const std::string& where);

/// Whether the codec's latents are those of `record`: its weights are named
/// there, or it has its encoder from them and says so.
bool has_latents_of(const LoadedCodec& codec, const CodecRecord& record);

/// Throws ConfigError unless has_latents_of; `where` is the store or the model
/// that wants them.
void expect_same_codec(const LoadedCodec& codec, const CodecRecord& record,
                       const std::string& where);

/// The codec that `record` names: the one at `path` or, if that is empty, where
/// it was. Throws ConfigError if it is not there and, unless `any_codec`, if
/// its weights are others; `model` is what has the record.
LoadedCodec load_recorded_codec(const CodecRecord& record,
                                const std::filesystem::path& path,
                                bool any_codec,
                                const std::filesystem::path& model,
                                c10::Device device);

}  // namespace calotype
