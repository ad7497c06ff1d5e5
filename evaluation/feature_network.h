#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "images/transforms.h"

namespace calotype {

/// The name of the classifier that is part of the program.
inline constexpr const char* kBuiltinNetwork = "builtin";

/// A network in whose features sets of images are compared.
class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;

  /// Images [N,C,H,W] in [-1,1] as fit() asks for them -> [N,F+K] float on the
  /// CPU: features, then logits. Throws ShapeError.
  virtual at::Tensor rows(const at::Tensor& images) = 0;

  int64_t num_features() const { return num_features_; }  // F
  int64_t num_logits() const { return num_logits_; }  // K, 0: it has no classes

  /// Classes that it was trained on, in the order of the logits; empty if they
  /// have no names here.
  const std::vector<std::string>& class_names() const { return class_names_; }

  /// What the user named, and the SHA-256 of the weights.
  const std::string& name() const { return name_; }
  const std::string& sha256() const { return sha256_; }

  /// What a protocol says of it: name of its class, sha256, its input.
  Json record() const;

  /// Sets what the network decides: channels, and the size if it takes but one.
  /// Throws ConfigError for another size.
  void fit(Preprocessing& preprocessing) const;

  /// Images as a codec gave them, in as many channels as the network takes:
  /// grey counts three times. Throws ConfigError for colours into a grey
  /// network and for a size that it does not take.
  at::Tensor adapt(const at::Tensor& images) const;

 protected:
  std::string name_, class_name_, sha256_, input_;
  int64_t num_features_ = 0, num_logits_ = 0;
  int64_t channels_ = 3, size_ = 0;  // 0: any
  std::vector<std::string> class_names_;
};

/// `name`: "builtin", the model folder of a CalotypeClassifier, or a
/// safetensors file of FID's Inception under pytorch-fid's names. Throws
/// ConfigError for anything else or, unless it is empty, another SHA-256 of the
/// weights than the expected one; DataError for weights that do not fit.
std::unique_ptr<FeatureNetwork> load_feature_network(
    const std::string& name, c10::Device device,
    const std::string& expected_sha256 = "");

}  // namespace calotype
