#include "tools/classifier_model.h"

#include <torch/torch.h>

#include <algorithm>
#include <cctype>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "nn/model_folder.h"

namespace calotype {
namespace {

constexpr const char* kNamesFile = "class_names.json";

}  // namespace

CalotypeClassifier load_classifier(const std::filesystem::path& path,
                                   c10::Device device) {
  const auto folder = open_model_folder(path);
  expect_class(folder, kClassifierClass);
  CalotypeClassifierConfig config;
  read_config(folder.config, config, (path / "config.json").string());
  CalotypeClassifier classifier(config);
  load_weights(*classifier, folder);
  classifier->to(device);
  classifier->eval();
  return classifier;
}

void write_class_names(const std::filesystem::path& path,
                       const std::vector<std::string>& names) {
  write_file_atomic(path / kNamesFile, Json(names).dump(2) + "\n");
}

at::Tensor class_order(const std::filesystem::path& path,
                       const std::vector<std::string>& names) {
  auto order = torch::empty({int64_t(names.size())}, torch::kLong);
  const auto known =
      read_json_file(path / kNamesFile).get<std::vector<std::string>>();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const auto& name) {
          return file_word(name) == file_word(names[i]);
        });
    if (found == known.end())
      throw ConfigError(
          fmt::format("{}: does not know the class \"{}\"; it knows {}",
                      path.string(), names[i], fmt::join(known, ", ")));
    order[int64_t(i)] = int64_t(found - known.begin());
  }
  return order;
}

std::string file_word(std::string text) {
  for (auto& letter : text)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '-';
  return text;
}

}  // namespace calotype
