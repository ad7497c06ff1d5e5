#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <map>
#include <string>

#include "core/files.h"
#include "core/note.h"
#include "models/convert/convert.h"
#include "models/registry.h"
#include "nn/model_folder.h"
#include "nn/safetensors.h"
#include "tests/models/original_networks.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {

inline AnyModel model_of(const ConvertedModel& converted) {
  const auto model =
      find_model_class(converted.class_name)->make(converted.config);
  load_weights(*model.module, converted.weights, "converted");
  model.module->eval();
  return model;
}

/// A folder with a checkpoint and its project's configuration.
class Conversions : public testing::Test {
 protected:
  void SetUp() override { take_notes(); }

  void save(const original::Weights& weights, const std::string& config = "",
            const std::string& name = "model.safetensors") {
    write_safetensors(folder_.path() / name,
                      {.tensors = weights.tensors, .metadata = {}});
    if (!config.empty())
      write_file_atomic(folder_.path() / "config.yaml", config);
  }

  Conversion convert(const ConvertOptions& options = {}) {
    return convert_checkpoint(folder_.path(), options);
  }

  /// The one model of the folder.
  AnyModel converted(const ConvertOptions& options = {}) {
    const auto conversion = convert(options);
    EXPECT_EQ(conversion.models.size(), 1u);
    EXPECT_THAT(conversion.left_over, testing::IsEmpty());
    return model_of(conversion.models.front().second);
  }

  template <class Error>
  std::string refusal(const ConvertOptions& options = {}) {
    auto message = message_of<Error>([&] { convert(options); });
    const auto path = folder_.path().string() + "/";
    for (auto at = message.find(path); at != message.npos;
         at = message.find(path))
      message.erase(at, path.size());
    return message;
  }

  const torch::NoGradGuard no_grad_;
  TempFolder folder_;
};

/// As LDM's LitEma keeps averages.
inline void add_averages(original::Weights& weights, const std::string& owner,
                         const std::string& prefix) {
  std::map<std::string, at::Tensor> averages;
  for (auto& [name, tensor] : weights.tensors) {
    if (!name.starts_with(owner) || name.starts_with("model_ema.")) continue;
    auto mangled = name.substr(owner.size());
    std::erase(mangled, '.');
    averages[prefix + mangled] = tensor;
    tensor = at::randn_like(tensor);  // what must not be taken
  }
  averages[prefix + "decay"] = at::scalar_tensor(0.9999);
  averages[prefix + "num_updates"] = at::scalar_tensor(7, at::kInt);
  weights.tensors.merge(averages);
}

}  // namespace calotype
