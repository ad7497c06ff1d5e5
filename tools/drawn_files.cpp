#include "tools/drawn_files.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <charconv>
#include <string>
#include <system_error>

#include "datasets/class_folder.h"

namespace calotype {

int64_t DrawnFiles::first_number() const {
  return setup_.job.to_seed ? 0 : setup_.job.first;
}

int64_t DrawnFiles::number(int64_t k) const {
  return first_number() + k;
}

int64_t DrawnFiles::sample(int64_t k) const {
  return setup_.job.to_seed ? setup_.job.first : number(k);
}

int64_t DrawnFiles::label(int64_t k) const {
  return setup_.classes[size_t(sample(k)) % setup_.classes.size()];
}

std::string DrawnFiles::class_name_of(int64_t label) const {
  const auto& names = setup_.space.class_names;
  if (label < 0) return "any";
  return label < int64_t(names.size()) ? names[size_t(label)]
                                       : std::to_string(label);
}

std::string DrawnFiles::class_name(int64_t k) const {
  return class_name_of(label(k));
}

std::string DrawnFiles::name(int64_t k) const {
  return fmt::format("{}/{:05}", class_folder(class_name(k)), number(k));
}

DrawnRows DrawnFiles::rows(int64_t begin, int64_t count) const {
  DrawnRows rows{.samples = torch::empty({count}, torch::kLong),
                 .labels = torch::empty({count}, torch::kLong),
                 .begin = begin};
  for (int64_t i = 0; i < count; ++i) {
    rows.samples[i] = sample(begin + i);
    rows.labels[i] = label(begin + i);
  }
  return rows;
}

bool DrawnFiles::has(const std::string& file) const {
  const auto digits = file.substr(file.rfind('/') + 1);
  int64_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const auto k = number - first_number();
  if (error != std::errc() || k < 0 || k >= setup_.job.count) return false;
  return file == name(k) + ".png";
}

Json DrawnFiles::settings() const {
  Json classes = Json::array();
  for (const auto label : setup_.classes)
    classes.push_back(class_name_of(label));
  return {{"recipe", setup_.recipe},
          {"first", setup_.job.first},
          {"count", setup_.job.count},
          {"classes", classes}};
}

}  // namespace calotype
