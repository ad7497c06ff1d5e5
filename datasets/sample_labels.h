#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace calotype {

/// What the images of a set are called by files that lie among them.
struct SampleLabels {
  std::vector<std::optional<std::string>> called;  // of each image
  std::string origin;        // what they come from, in words
  std::vector<size_t> used;  // places of those files in `others`
};

/// Whether a file of this name could say what images are.
bool may_hold_labels(const std::string& name);

/// The classes that a `dataset.json` at the top gives (as NVIDIA's trainers
/// take it: {"labels": [["a/1.png", 3], ...]}), else the `.cls` file of each
/// sample, else the "class_name", "class", "label" or "cls" of its `.json`
/// (WebDataset: a sample's files are called alike but for their endings); of
/// the latter the first file decides which key it is, and whether any. Nothing
/// where there is none of these. `images` and `others`: paths, sorted; `read`
/// gives a file's text. Throws DataError for a file that is not what it is
/// called, ConfigError for labels that are no classes.
std::optional<SampleLabels> find_sample_labels(
    const std::string& where, const std::vector<std::string>& images,
    const std::vector<std::string>& others,
    const std::function<std::string(size_t other)>& read);

}  // namespace calotype
