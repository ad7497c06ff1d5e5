#include "evaluation/measured_blocks.h"

#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "evaluation/block_rows.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPass = "pass";
constexpr std::string_view kPrefix = "block-";
constexpr const char* kEnding = ".safetensors";

std::string block_prefix(int64_t block) {
  return fmt::format("{}{:07}-", kPrefix, block);
}

}  // namespace

Slice images_of_block(int64_t block, int64_t num_images) {
  return {std::min(num_images, block * kImagesPerBlock),
          std::min(num_images, (block + 1) * kImagesPerBlock)};
}

MeasuredBlocks::MeasuredBlocks(fs::path folder) : folder_(std::move(folder)) {
  list();
}

void MeasuredBlocks::list() {
  files_.clear();
  std::error_code gone;  // all was done meanwhile
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(folder_, gone))
    files.push_back(file.path());
  std::ranges::sort(files);
  for (const auto& file : files) {
    const auto name = file.filename().string();
    if (!name.starts_with(kPrefix)) continue;
    const auto block = std::strtoll(name.c_str() + kPrefix.size(), nullptr, 10);
    if (name.starts_with(block_prefix(block))) files_.emplace(block, file);
  }
}

void MeasuredBlocks::write(int64_t block, const TensorFile& measured) const {
  const auto file = folder_ / (unique_token() + kEnding);
  write_safetensors(file, measured);
  fs::rename(file, folder_ / (block_prefix(block) +
                              hex64(xxh64(read_file(file))) + kEnding));
  sync_folder(folder_);
}

TensorFile MeasuredBlocks::read(int64_t block) const {
  const auto [begin, end] = files_.equal_range(block);
  for (auto at = begin; at != end; ++at) {
    const auto& file = at->second;
    if (!fs::exists(file)) continue;
    const auto bytes = read_file(file);
    if (file.filename().string() ==
        block_prefix(block) + hex64(xxh64(bytes)) + kEnding)
      return parse_safetensors(bytes, file.string());
    fs::remove(file);
  }
  throw DataError(
      fmt::format("{}: what was measured of block {} is damaged "
                  "or gone",
                  folder_.string(), block));
}

at::Tensor as_tensor(const std::vector<uint64_t>& hashes) {
  auto tensor = torch::empty({std::ssize(hashes)}, torch::kLong);
  std::ranges::transform(hashes, tensor.data_ptr<int64_t>(),
                         [](uint64_t hash) { return int64_t(hash); });
  return tensor;
}

std::vector<uint64_t> as_hashes(const at::Tensor& tensor) {
  const auto whole = tensor.contiguous();
  const auto* at = whole.data_ptr<int64_t>();
  return {at, at + whole.size(0)};
}

void keep_pass(TensorFile& measured, const ImagePass& pass) {
  Json skipped = Json::array(), warnings = Json::array();
  for (const auto& image : pass.skipped)
    skipped.push_back({image.index, image.name, image.reason});
  for (const auto& image : pass.notes.warnings)
    warnings.push_back({image.name, image.reason});
  measured.metadata[kPass] = json_text({{"images", pass.num_images},
                                        {"seconds", pass.seconds},
                                        {"skipped", skipped},
                                        {"noted_images", pass.notes.num_images},
                                        {"warnings", warnings},
                                        {"profiles", pass.notes.profiles}});
}

ImagePass kept_pass(const TensorFile& measured) {
  const auto json = Json::parse(measured.metadata.at(kPass));
  ImagePass pass{.num_images = json.at("images"),
                 .seconds = json.at("seconds")};
  for (const auto& image : json.at("skipped"))
    pass.skipped.push_back(
        {.index = image[0], .name = image[1], .reason = image[2]});
  pass.notes.num_images = json.at("noted_images");
  for (const auto& image : json.at("warnings"))
    pass.notes.warnings.push_back({.name = image[0], .reason = image[1]});
  pass.notes.profiles =
      json.at("profiles").get<std::map<std::string, int64_t>>();
  return pass;
}

}  // namespace calotype
