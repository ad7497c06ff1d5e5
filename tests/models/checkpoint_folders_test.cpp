#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "models/convert/convert.h"
#include "models/registry.h"
#include "nn/safetensors.h"
#include "tests/support/fixtures.h"
#include "vqvae/magvit2.h"
#include "vqvae/vq_model.h"

// Checkpoints as their projects write them, in folders of which each holds one
// with its configuration, and io.safetensors with what the project's own code
// makes of its inputs. They are too large for the repository;
// CALOTYPE_CHECKPOINTS names their folder.
namespace calotype {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, at::Tensor>;

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  const auto config = folder / "config.json";
  const bool is_of_diffusers =
      fs::exists(config) && read_json_file(config).contains("_class_name");
  if (is_of_diffusers || fs::exists(folder / "taesd_encoder.pth"))
    return {folder};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    for (const char* ending : {".ckpt", ".pt", ".safetensors"})
      if (entry.path().extension() == ending &&
          entry.path().filename() != "io.safetensors")
        files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

AnyModel loaded(const ConvertedModel& converted) {
  const auto model =
      find_model_class(converted.class_name)->make(converted.config);
  load_weights(*model.module, converted.weights, "converted");
  model.module->eval();
  return model;
}

class Comparison {
 public:
  Comparison(std::string name, const Tensors& io) : name_(name), io_(io) {}

  bool has(const std::string& key) const { return io_.count(key) > 0; }
  const at::Tensor& at(const std::string& key) const { return io_.at(key); }

  void close(const std::string& key, const at::Tensor& got) {
    EXPECT_TRUE(close_to_fixture(got, io_.at(key))) << name_ << " " << key;
    if (got.sizes() == io_.at(key).sizes())
      fmt::print("{} {}: {:.2g}\n", name_, key,
                 (got - io_.at(key)).abs().max().item<double>());
  }

 private:
  std::string name_;
  const Tensors& io_;
};

Quantized quantized_by(const AnyModel& model, const at::Tensor& latents) {
  if (const auto vq = std::dynamic_pointer_cast<VQModelImpl>(model.module))
    return vq->quantize(latents);
  return std::dynamic_pointer_cast<Magvit2Impl>(model.module)
      ->quantize(latents);
}

void compare_codec(Comparison& io, const AnyModel& model) {
  const auto grid = model.codec->encode(io.at("x"));
  if (io.has("mean")) {
    io.close("mean", grid.mean);
    io.close("logvar", grid.logvar);
    io.close("decoded", model.codec->decode(io.at("mean")));
    return;
  }
  const auto D = io.at("latents").size(1);  // one less than IBQ's here
  io.close("latents", grid.mean.narrow(1, 0, D));
  if (model.tokenizer) {
    const auto quantized = quantized_by(model, grid.mean);
    EXPECT_TRUE(torch::equal(quantized.indices.squeeze(1), io.at("indices")));
    io.close("quantized", quantized.vectors.narrow(1, 0, D));
    EXPECT_TRUE(torch::equal(model.tokenizer->tokenize(io.at("x")).squeeze(1),
                             io.at("indices")));
  }
  io.close("decoded", model.codec->decode(grid.mean));
  if (io.has("decoded01_wide"))
    io.close("decoded01_wide",
             model.codec->decode(io.at("latents_wide")).add(1).div(2));
}

void compare_denoiser(Comparison& io, const AnyModel& model,
                      const std::string& key) {
  io.close(key,
           model.denoiser->forward(
               io.at("sample"), io.at("timestep").to(at::kFloat),
               io.has("class_labels") ? io.at("class_labels") : at::Tensor()));
}

void compare(const fs::path& file, const Tensors& tensors) {
  for (const std::string weights : {"auto", "plain"}) {
    const auto converted = convert_checkpoint(file, {.weights = weights});
    Comparison io(fmt::format("{} {}", file.string(), weights), tensors);
    EXPECT_TRUE(converted.left_over.empty()) << file;
    for (const auto& [name, part] : converted.models) {
      auto model = loaded(part);
      if (model.codec) compare_codec(io, model);
      if (!model.denoiser) continue;
      const bool has_averages = weights == "auto";
      const std::string out = has_averages ? "out_ema" : "out";
      if (file.filename() == "DiT-published.pt" && !has_averages) continue;
      compare_denoiser(io, model, out);
      if (!io.has(out + "_diffusers")) continue;
      auto as_diffusers = part;
      as_diffusers.config["freq_shift"] = 1;
      compare_denoiser(io, loaded(as_diffusers), out + "_diffusers");
    }
  }
}

TEST(CheckpointFolders, GiveWhatTheirProjectsCompute) {
  const auto* named = std::getenv("CALOTYPE_CHECKPOINTS");
  if (!named) GTEST_SKIP() << "CALOTYPE_CHECKPOINTS names no folder of them";
  const torch::NoGradGuard no_grad;
  int num_compared = 0;
  for (const auto& entry : fs::directory_iterator(named)) {
    if (!fs::exists(entry.path() / "io.safetensors")) continue;
    const auto io = read_safetensors(entry.path() / "io.safetensors").tensors;
    for (const auto& file : checkpoints_in(entry.path())) {
      SCOPED_TRACE(file.string());
      try {
        compare(file, io);
        ++num_compared;
      } catch (const NoClassHere& error) {
        fmt::print("{}\n", error.what());
      }
    }
  }
  EXPECT_GT(num_compared, 0);
}

}  // namespace
}  // namespace calotype
