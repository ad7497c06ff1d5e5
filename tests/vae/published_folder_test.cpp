#include <gtest/gtest.h>
#include <torch/utils.h>

#include <functional>

#include "core/files.h"
#include "tests/support/fixtures.h"
#include "tests/support/temp_folder.h"
#include "vae/autoencoder_kl.h"

// One model in the forms in which folders of others hold it.
namespace calotype {
namespace {

namespace fs = std::filesystem;

class PublishedFolder : public testing::Test {
 protected:
  PublishedFolder()
      : config_(read_json_file(original_ / "config.json")),
        weights_(read_safetensors(original_ / kWeightsName)),
        images_(read_safetensors(original_ / "io.safetensors").tensors["x"]) {}

  static at::Tensor latents_of(const fs::path& folder, const at::Tensor& x) {
    const torch::NoGradGuard no_grad;
    return load_autoencoder_kl(open_model_folder(folder))->encode(x).mean;
  }

  /// Expects the very numbers of the original of what the members hold now,
  /// written by `write_weights`.
  void expect_same_numbers(
      const std::function<void(const fs::path&)>& write_weights) {
    const TempFolder folder;
    write_file_atomic(folder / "config.json", config_.dump());
    write_weights(folder.path());
    EXPECT_TRUE(torch::equal(latents_of(folder.path(), images_),
                             latents_of(original_, images_)));
  }

  const fs::path original_ = fixture_models("AutoencoderKL").at(0);
  Json config_;
  TensorFile weights_;
  at::Tensor images_;
};

TEST_F(PublishedFolder, WithAttentionAsIn2022HasTheSameNumbers) {
  int num_renamed = 0;
  TensorFile old;
  for (const auto& [name, tensor] : weights_.tensors) {
    auto then = name;
    for (const auto& [from, to] :
         {std::pair(".to_q.", ".query."), std::pair(".to_k.", ".key."),
          std::pair(".to_v.", ".value."),
          std::pair(".to_out.0.", ".proj_attn.")})
      if (const auto at = then.find(from); at != std::string::npos)
        then.replace(at, std::string(from).size(), to);
    num_renamed += then != name;
    old.tensors[then] = tensor;
  }
  EXPECT_EQ(num_renamed, 16);  // weights and biases of two attentions
  expect_same_numbers([&](const fs::path& folder) {
    write_safetensors(folder / kWeightsName, old);
  });
}

TEST_F(PublishedFolder, InShardsHasTheSameNumbers) {
  expect_same_numbers([&](const fs::path& folder) {
    TensorFile parts[2];
    Json map = Json::object();
    size_t number = 0;
    for (const auto& [name, tensor] : weights_.tensors) {
      const auto part = number++ % 2;
      parts[part].tensors[name] = tensor;
      map[name] = fmt::format("part-{}.safetensors", part);
    }
    for (size_t part = 0; part < 2; ++part)
      write_safetensors(folder / fmt::format("part-{}.safetensors", part),
                        parts[part]);
    write_file_atomic(folder / "diffusion_pytorch_model.safetensors.index.json",
                      Json{{"weight_map", map}}.dump());
  });
}

TEST_F(PublishedFolder, WithKeysOfOtherVersionsHasTheSameNumbers) {
  config_["sample_size"] = {64, 48};
  config_["force_upcast"] = nullptr;
  config_["act_fn"] = nullptr;
  config_["a_key_of_the_future"] = true;
  config_["_name_or_path"] = "somewhere";
  for (const char* key : {"shift_factor", "use_quant_conv"}) config_.erase(key);
  expect_same_numbers([&](const fs::path& folder) {
    write_safetensors(folder / "diffusion_pytorch_model.ema.safetensors",
                      weights_);
  });
}

}  // namespace
}  // namespace calotype
