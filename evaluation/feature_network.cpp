#include "evaluation/feature_network.h"

#include <torch/utils.h>

#include <filesystem>

#include "core/error.h"
#include "core/hash.h"
#include "core/profile.h"
#include "metrics/builtin_classifier.h"
#include "models/classifier_model.h"
#include "nn/fid_inception.h"
#include "nn/model_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

at::Tensor on_cpu(const at::Tensor& rows) {
  return rows.to(torch::kCPU, torch::kFloat).contiguous();
}

class ClassifierFeatures : public FeatureNetwork {
 public:
  ClassifierFeatures(const std::string& name, c10::Device device)
      : device_(device) {
    if (name == kBuiltinNetwork) {
      classifier_ = builtin_classifier();
      sha256_ = kBuiltinClassifierSha256;
      class_names_ = builtin_class_names();
    } else {
      const auto folder = open_model_folder(name);
      classifier_ = load_classifier(folder);
      sha256_ = weights_sha256(folder);
      class_names_ = read_class_names(name);
    }
    classifier_->to(device);
    const auto& config = classifier_->config();
    name_ = name;
    class_name_ = CalotypeClassifierImpl::kClassName;
    channels_ = config.in_channels;
    size_ = config.sample_size;
    num_features_ = config.channels.back();
    num_logits_ = config.num_classes;
    input_ =
        fmt::format("{}x{}, {}", size_, size_, channels_ == 1 ? "grey" : "RGB");
  }

  at::Tensor rows(const at::Tensor& images) override {
    const ProfileZone zone("features", ZoneKind::kNetwork);
    const torch::InferenceMode inference;
    const auto output = classifier_->forward(images.to(device_));
    return on_cpu(torch::cat({output.features, output.logits}, 1));
  }

 private:
  c10::Device device_;
  CalotypeClassifier classifier_{nullptr};
};

class InceptionFeatures : public FeatureNetwork {
 public:
  InceptionFeatures(const fs::path& file, c10::Device device)
      : device_(device), inception_(load_fid_inception(file)) {
    inception_.to(device);
    name_ = file.string();
    class_name_ = "FID-Inception";
    sha256_ = sha256_hex_of_file(file);
    num_features_ = FidInception::kFeatures;
    num_logits_ = inception_.has_logits() ? FidInception::kLogits : 0;
    input_ = "RGB, bilinear to 299x299 without antialiasing inside, pool3";
  }

  at::Tensor rows(const at::Tensor& images) override {
    const ProfileZone zone("features", ZoneKind::kNetwork);
    const torch::InferenceMode inference;
    std::vector<at::Tensor> rows;
    for (const auto& some : images.split(kImagesAtOnce)) {
      const auto features = inception_.features(some.to(device_));
      rows.push_back(
          on_cpu(num_logits_ == 0
                     ? features
                     : torch::cat({features, inception_.logits(features)}, 1)));
    }
    return torch::cat(rows);
  }

 private:
  // Of 299x299 pixels: 44 MB of activations at the widest layer.
  static constexpr int64_t kImagesAtOnce = 8;

  c10::Device device_;
  FidInception inception_;
};

}  // namespace

Json FeatureNetwork::record() const {
  return {{"class", class_name_},
          {"sha256", sha256_},
          {"features", num_features_},
          {"input", input_}};
}

void FeatureNetwork::fit(Preprocessing& preprocessing) const {
  preprocessing.channels = channels_;
  if (size_ == 0) return;
  if (preprocessing.size != 0 && preprocessing.size != size_)
    throw ConfigError(
        fmt::format("{}: takes images of {}x{} alone, got --size {}", name_,
                    size_, size_, preprocessing.size));
  preprocessing.size = size_;
}

at::Tensor FeatureNetwork::adapt(const at::Tensor& images) const {
  const auto height = images.size(2), width = images.size(3);
  if (size_ != 0 && (height != size_ || width != size_))
    throw ConfigError(
        fmt::format("{}: takes images of {}x{} alone, got {}x{}; say --size {}",
                    name_, size_, size_, height, width, size_));
  if (images.size(1) == channels_) return images;
  if (channels_ == 1)
    throw ConfigError(name_ +
                      ": takes grey images alone, and these have colours");
  return images.expand({-1, channels_, -1, -1});
}

std::unique_ptr<FeatureNetwork> load_feature_network(
    const std::string& name, c10::Device device,
    const std::string& expected_sha256) {
  std::unique_ptr<FeatureNetwork> network;
  if (name == kBuiltinNetwork || fs::exists(fs::path(name) / "config.json"))
    network = std::make_unique<ClassifierFeatures>(name, device);
  else if (fs::is_regular_file(name))
    network = std::make_unique<InceptionFeatures>(name, device);
  else
    throw ConfigError(fmt::format(
        "{}: is no feature network; name the model folder of a classifier, a "
        "file of FID's Inception, or {}",
        name, kBuiltinNetwork));
  if (!expected_sha256.empty() && expected_sha256 != network->sha256())
    throw ConfigError(
        fmt::format("{}: its weights have the SHA-256 {}, expected {}",
                    network->name(), network->sha256(), expected_sha256));
  return network;
}

}  // namespace calotype
