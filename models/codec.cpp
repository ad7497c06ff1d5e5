#include "models/codec.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/memory.h"
#include "models/pipeline_folder.h"
#include "models/pixel_codec.h"
#include "models/registry.h"
#include "models/rescaled_codec.h"
#include "nn/model_folder.h"

namespace calotype {

bool is_codec_there(const std::filesystem::path& path) {
  return PixelCodec::named(path) || std::filesystem::is_directory(path);
}

LoadedCodec load_codec(const std::filesystem::path& path, c10::Device device) {
  if (const auto pixels = PixelCodec::named(path)) {
    const auto codec = std::make_shared<PixelCodec>(*pixels);
    return {.codec = codec,
            .path = path,
            .class_name = "pixels",
            .sha256 = path,
            .config = Json::object(),
            .cost = std::make_shared<CodecCost>(codec, device)};
  }
  const auto folder = open_model_folder(codec_folder(path));
  const auto model = load_any_model(
      folder, "a codec",
      [](const ModelClass& known) { return is_codec(known.kind); });
  model.codec->module().to(device);
  return {.codec = model.codec,
          .tokenizer = model.tokenizer,
          .path = folder.path,
          .class_name = folder.class_name,
          .sha256 = weights_sha256(folder),
          .config = model.config,
          .latents_of = folder.latents_of,
          .cost = std::make_shared<CodecCost>(model.codec, device)};
}

void fit_preprocessing(const LoadedCodec& codec, Preprocessing& preprocessing) {
  preprocessing.channels = codec.codec->image_channels();
  if (const auto size = codec.codec->fixed_size()) {
    if (preprocessing.size != 0 && preprocessing.size != *size)
      throw ConfigError(
          fmt::format("{}: takes images of {}x{} alone, got --size {}",
                      codec.path.string(), *size, *size, preprocessing.size));
    preprocessing.size = *size;
  }
  preprocessing.validate();
}

void expect_fits(const LoadedCodec& codec, const ImageSource& source,
                 const Preprocessing& preprocessing, CodecPass pass) {
  if (memory_limit() == 0) return;
  for (const auto& [height, width] : some_sizes(source, preprocessing))
    codec.cost->expect_fits(pass, height, width, codec.path.string());
}

void expect_fits(const LoadedCodec& codec, const at::Tensor& images,
                 CodecPass pass) {
  codec.cost->expect_fits(pass, images.size(2), images.size(3),
                          codec.path.string());
}

CodecRecord codec_record(const LoadedCodec& codec) {
  auto path = codec.path;
  if (!PixelCodec::named(path))
    path = std::filesystem::absolute(path).lexically_normal();
  Json record{{"class", codec.class_name},
              {"sha256", codec.sha256},
              {"path", path.string()},
              {"config", codec.config}};
  if (codec.tokenizer) {
    record["num_codes"] = codec.tokenizer->num_codes();
    record["codebooks"] = codec.tokenizer->codebooks();
  }
  return CodecRecord(std::move(record));
}

void expect_depth(const LoadedCodec& codec, int64_t depth,
                  const std::string& where) {
  if (depth != codec.codec->latent_channels())
    throw ConfigError(fmt::format(
        "{}: has latents of {} numbers to a cell, {} decodes {}", where, depth,
        codec.path.string(), codec.codec->latent_channels()));
}

bool has_latents_of(const LoadedCodec& codec, const CodecRecord& record) {
  return record.sha256() == codec.sha256 ||
         std::ranges::find(codec.latents_of, record.sha256()) !=
             codec.latents_of.end();
}

void expect_same_codec(const LoadedCodec& codec, const CodecRecord& record,
                       const std::string& where) {
  if (!has_latents_of(codec, record))
    throw ConfigError(fmt::format(
        "{}: its latents are of codec {}, {} is {}; decode with the codec that "
        "made them, or "
        "say --any-codec",
        where, short_sha256(record.sha256()), codec.path.string(),
        short_sha256(codec.sha256)));
}

LoadedCodec load_recorded_codec(const CodecRecord& record,
                                const std::filesystem::path& path,
                                bool any_codec,
                                const std::filesystem::path& model,
                                c10::Device device) {
  const auto at = path.empty() ? std::filesystem::path(record.path()) : path;
  if (path.empty() && (at.empty() || !is_codec_there(at)))
    throw ConfigError(fmt::format(
        "{}: its codec was at \"{}\", which is not there; name it with --codec",
        model.string(), at.string()));
  auto codec = load_codec(at, device);
  if (!any_codec) expect_same_codec(codec, record, model.string());
  return with_scale_of(std::move(codec), record, model.string());
}

}  // namespace calotype
