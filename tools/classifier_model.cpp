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

/// Where `name` is in `known`; -1 if it is not.
int64_t find_class(const std::vector<std::string>& known,
                   const std::string& name) {
  const auto found = std::find_if(
      known.begin(), known.end(),
      [&](const auto& other) { return file_word(other) == file_word(name); });
  return found == known.end() ? -1 : found - known.begin();
}

}  // namespace

CalotypeClassifier load_classifier(const std::filesystem::path& path) {
  const auto folder = open_model_folder(path);
  expect_class(folder, kClassifierClass);
  CalotypeClassifierConfig config;
  read_config(folder.config, config, (path / "config.json").string());
  CalotypeClassifier classifier(config);
  load_weights(*classifier, folder);
  classifier->eval();
  return classifier;
}

void write_class_names(const std::filesystem::path& path,
                       const std::vector<std::string>& names) {
  write_file_atomic(path / kNamesFile, json_text(names, 2) + "\n");
}

std::vector<std::string> read_class_names(const std::filesystem::path& path) {
  return read_json_file(path / kNamesFile).get<std::vector<std::string>>();
}

at::Tensor class_order(const std::string& where,
                       const std::vector<std::string>& known,
                       const std::vector<std::string>& names) {
  auto order = torch::empty({int64_t(names.size())}, torch::kLong);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found = find_class(known, names[i]);
    if (found < 0)
      throw ConfigError(
          fmt::format("{}: does not know the class \"{}\"; it knows {}", where,
                      names[i], fmt::join(known, ", ")));
    order[int64_t(i)] = found;
  }
  return order;
}

bool knows_classes(const std::vector<std::string>& known,
                   const std::vector<std::string>& names) {
  return !names.empty() &&
         std::all_of(names.begin(), names.end(), [&](const auto& name) {
           return find_class(known, name) >= 0;
         });
}

std::string file_word(std::string text) {
  for (auto& letter : text)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '-';
  return text;
}

}  // namespace calotype
