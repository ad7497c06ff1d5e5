#include "models/codec.h"

#include "core/error.h"
#include "models/pixel_codec.h"
#include "nn/model_folder.h"
#include "vae/autoencoder.h"
#include "vae/autoencoder_kl.h"
#include "vqvae/vq_model.h"
#include "vqvae/vqvae2.h"

namespace calotype {
namespace {

constexpr size_t kShownDigits = 12;  // of a SHA-256 in messages

std::string shown(const std::string& sha256) {
  return sha256.substr(0, kShownDigits);
}

}  // namespace

bool is_codec_there(const std::filesystem::path& path) {
  return PixelCodec::named(path) || std::filesystem::is_directory(path);
}

LoadedCodec load_codec(const std::filesystem::path& path, c10::Device device) {
  if (const auto pixels = PixelCodec::named(path))
    return {.codec = std::make_shared<PixelCodec>(*pixels),
            .path = path,
            .class_name = "pixels",
            .sha256 = path,
            .config = Json::object()};
  const auto folder = open_model_folder(path);
  LoadedCodec loaded{.path = path,
                     .class_name = folder.class_name,
                     .sha256 = weights_sha256(folder)};
  if (folder.class_name == AutoencoderKLImpl::kClassName) {
    const auto codec = load_autoencoder_kl(folder);
    loaded.codec = codec.ptr();
    loaded.config = write_config(codec->config());
  } else if (folder.class_name == CalotypeAutoencoderImpl::kClassName) {
    const auto codec = load_calotype_autoencoder(folder);
    loaded.codec = codec.ptr();
    loaded.config = write_config(codec->config());
  } else if (folder.class_name == VQModelImpl::kClassName) {
    const auto codec = load_vq_model(folder);
    loaded.codec = codec.ptr();
    loaded.tokenizer = codec.ptr();
    loaded.config = write_config(codec->config());
  } else if (folder.class_name == VqVae2Impl::kClassName) {
    const auto codec = load_vqvae2(folder);
    loaded.codec = codec.ptr();
    loaded.tokenizer = codec.ptr();
    loaded.config = write_config(codec->config());
  } else {
    throw ConfigError(fmt::format(
        "{}: expected a codec ({}, {}, {}, {}), got a {}", path.string(),
        AutoencoderKLImpl::kClassName, CalotypeAutoencoderImpl::kClassName,
        VQModelImpl::kClassName, VqVae2Impl::kClassName, folder.class_name));
  }
  loaded.codec->module().to(device);
  return loaded;
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

Json codec_record(const LoadedCodec& codec) {
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
  return record;
}

void expect_same_codec(const LoadedCodec& codec, const Json& record,
                       const std::string& where) {
  const auto wanted = record.value("sha256", "");
  if (wanted != codec.sha256)
    throw ConfigError(fmt::format(
        "{}: its latents are of codec {}, {} is {}; decode with the codec that "
        "made them, or "
        "say --any-codec",
        where, shown(wanted), codec.path.string(), shown(codec.sha256)));
}

}  // namespace calotype
