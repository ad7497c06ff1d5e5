#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/random.h"
#include "datasets/image_source.h"
#include "evaluation/evaluate.h"
#include "images/image_io.h"
#include "images/lossy_format.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

// Folders of images and of their reconstructions.
namespace calotype {

namespace fs = std::filesystem;

/// A picture with soft and sharp parts: waves that grow finer to the right.
inline Image picture(int64_t height, int64_t width, int64_t channels,
                     uint64_t seed) {
  Image image{height, width, channels, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const double phase = double(seed) * 0.7 + double(c);
        const double wave =
            std::sin(0.004 * double(x * x) + 0.1 * double(y) + phase);
        image.pixels.push_back(uint8_t(std::lround(127.5 + 110 * wave)));
      }
  return image;
}

inline void write_image(const fs::path& file, const Image& image) {
  make_folder(file.parent_path());
  write_file_atomic(file, encode_png(image));
}

/// `image` with noise of up to `strength` steps on each value.
inline Image noisy(Image image, int64_t strength, uint64_t seed) {
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    const auto noise =
        uniform_index({.seed = seed, .stream = Stream::kSynthetic, .sample = i},
                      2 * strength + 1) -
        strength;
    image.pixels[i] =
        uint8_t(std::clamp<int64_t>(image.pixels[i] + noise, 0, 255));
  }
  return image;
}

class EvaluatePairs : public testing::Test {
 protected:
  void SetUp() override { set_quiet(true); }

  /// Originals, and reconstructions with noise under the same names.
  void write_pairs(const char* made, int64_t strength, uint64_t seed = 1) {
    for (uint64_t i = 0; i < 12; ++i) {
      const auto image = picture(40, 40, 1, i);
      const auto name = fmt::format("class-{}/{}.png", i % 2, i);
      write_image(folder_ / "originals" / name, image);
      write_image(folder_ / made / name, noisy(image, strength, seed + i));
    }
  }

  /// The images of one folder as JPEG files in another.
  void write_as_jpeg(const char* from, const char* to) {
    const auto source = open_source((folder_ / from).string());
    for (int64_t i = 0; i < source->size(); ++i) {
      const auto file =
          (folder_ / to / source->name(i)).replace_extension(".jpg");
      make_folder(file.parent_path());
      write_file_atomic(file, encode_lossy("jpeg", source->load(i).image, 90));
    }
  }

  EvaluateJob pairs(const char* made, const char* originals = "originals") {
    EvaluateJob job;
    job.model = kPairs;
    job.data = (folder_ / made).string();
    job.reference = (folder_ / originals).string();
    return job;
  }

  /// The report's page without its pictures, in whose letters anything may
  /// stand.
  std::string words_of_page(const char* report) {
    auto page = read_text_file(folder_ / report / "index.html");
    const std::string picture = "data:image/png;base64,";
    for (auto at = page.find(picture); at != page.npos;
         at = page.find(picture, at + 1))
      page.erase(at + picture.size(), page.find('"', at) - at - picture.size());
    return page;
  }

  std::string refusal(const EvaluateJob& job) {
    return message_of<ConfigError>([&] { evaluate(job); });
  }

  TempFolder folder_;
};

}  // namespace calotype
