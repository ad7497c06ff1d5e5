#include "nn/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cstring>
#include <functional>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "core/note.h"
#include "nn/attention.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TensorFile numbers(const std::map<std::string, float>& values) {
  TensorFile file;
  for (const auto& [name, value] : values)
    file.tensors[name] = torch::full({2}, value);
  return file;
}

/// What `action` says on stderr.
std::string said_by(const std::function<void()>& action) {
  take_notes();
  testing::internal::CaptureStderr();
  action();
  return testing::internal::GetCapturedStderr();
}

class WeightFilesTest : public testing::Test {
 protected:
  fs::path write(const std::string& name, float value) {
    write_safetensors(folder_ / name, numbers({{"w", value}}));
    return folder_ / name;
  }

  void write_text(const std::string& name, std::string_view text) {
    write_file_atomic(folder_ / name, text);
  }

  void write_index(const std::string& weight_map) {
    write_text("diffusion_pytorch_model.safetensors.index.json",
               R"({"metadata": {"total_size": 16}, "weight_map": )" +
                   weight_map + "}");
  }

  std::string refusal() const {
    return message_of<DataError>(
        [&] { read_weights(find_weights(folder_.path())); });
  }

  TempFolder folder_;
};

TEST_F(WeightFilesTest, ThePlainFileIsTakenAndThoseBesideItAreNamed) {
  const auto plain = write("diffusion_pytorch_model.safetensors", 1);
  EXPECT_EQ(
      said_by([&] { EXPECT_EQ(find_weights(folder_.path()).path, plain); }),
      "");
  write("diffusion_pytorch_model.fp16.safetensors", 2);
  write("diffusion_pytorch_model.non_ema.safetensors", 3);
  write("model.safetensors", 4);
  EXPECT_EQ(
      said_by([&] { EXPECT_EQ(find_weights(folder_.path()).path, plain); }),
      folder_.path().string() +
          ": takes the weights of diffusion_pytorch_model.safetensors, not of "
          "diffusion_pytorch_model.fp16.safetensors, "
          "diffusion_pytorch_model.non_ema.safetensors\n");
}

TEST_F(WeightFilesTest, AnyVariantServesWhereThereIsNoOther) {
  const auto ema = write("diffusion_pytorch_model.ema.safetensors", 1);
  EXPECT_EQ(find_weights(folder_.path()).path, ema);
  const auto brain = write("diffusion_pytorch_model.bf16.safetensors", 1);
  EXPECT_EQ(find_weights(folder_.path()).path, brain);
  const auto half = write("diffusion_pytorch_model.fp16.safetensors", 1);
  EXPECT_EQ(find_weights(folder_.path()).path, half);
}

TEST_F(WeightFilesTest, ShardsAreReadTogether) {
  write_safetensors(
      folder_ / "diffusion_pytorch_model-00001-of-00002.safetensors",
      numbers({{"a", 1}, {"b", 2}}));
  write_safetensors(
      folder_ / "diffusion_pytorch_model-00002-of-00002.safetensors",
      numbers({{"c", 3}}));
  write_index(R"({"a": "diffusion_pytorch_model-00001-of-00002.safetensors",
                  "b": "diffusion_pytorch_model-00001-of-00002.safetensors",
                  "c": "diffusion_pytorch_model-00002-of-00002.safetensors"})");
  const auto files = find_weights(folder_.path());
  ASSERT_EQ(files.shards.size(), 2u);
  const auto read = read_weights(files);
  EXPECT_EQ(read.tensors.size(), 3u);
  EXPECT_EQ(read.tensors.at("c")[0].item<float>(), 3);
  const auto line = [](const fs::path& shard) {
    return shard.filename().string() + " " + sha256_hex_of_file(shard) + "\n";
  };
  const auto text = line(files.shards[0]) + line(files.shards[1]);
  EXPECT_EQ(
      sha256_of_weights(files),
      sha256_hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
}

TEST_F(WeightFilesTest, ShardsHaveVariantsToo) {
  for (const char* index :
       {"diffusion_pytorch_model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.fp16.safetensors.index.json"}) {
    const TempFolder folder;
    write_safetensors(folder / "x.fp16.safetensors", numbers({{"w", 5}}));
    write_file_atomic(
        folder / index,
        std::string_view(R"({"weight_map": {"w": "x.fp16.safetensors"}})"));
    const auto read = read_weights(find_weights(folder.path()));
    EXPECT_EQ(read.tensors.at("w")[0].item<float>(), 5) << index;
  }
}

TEST_F(WeightFilesTest, AnIndexThatCannotBeFollowedIsRefused) {
  write_safetensors(folder_ / "one.safetensors", numbers({{"a", 1}}));
  write_safetensors(folder_ / "two.safetensors", numbers({{"a", 1}, {"b", 2}}));
  const auto index =
      (folder_ / "diffusion_pytorch_model.safetensors.index.json").string();
  write_index(R"({"a": "none.safetensors"})");
  EXPECT_EQ(refusal(), index + ": names none.safetensors, which is not there");
  write_index(R"({"a": "one.safetensors", "b": "one.safetensors"})");
  EXPECT_EQ(refusal(), index + ": names b in one.safetensors, which lacks it");
  write_index(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  EXPECT_EQ(refusal(),
            index + ": a stands in one.safetensors and in two.safetensors");
  for (const char* outside :
       {R"("../x.safetensors")", R"("/etc/hostname")", R"("one.pt")", "1"}) {
    write_index(std::string(R"({"a": )") + outside + "}");
    EXPECT_EQ(refusal(),
              index +
                  ": a must be in a safetensors or .bin file of this folder, "
                  "got " +
                  outside);
  }
  write_index(R"({"a": "one.safetensors", "a": "two.safetensors"})");
  EXPECT_THAT(refusal(), HasSubstr("key \"a\" stands twice"));
  for (const char* map : {"[]", "{}", "null"}) {
    write_index(map);
    EXPECT_EQ(refusal(), index + ": expected a weight_map of tensors to files");
  }
  write_index("{");
  EXPECT_THAT(refusal(), HasSubstr("not JSON at line 1"));
}

TEST_F(WeightFilesTest, WeightsThatAreNotReadAreNamed) {
  const auto message = [&] {
    return message_of<ConfigError>([&] { find_weights(folder_.path()); });
  };
  EXPECT_EQ(message(), folder_.path().string() +
                           ": no weights here, expected "
                           "diffusion_pytorch_model.safetensors");
  write("model.safetensors", 1);
  EXPECT_THAT(message(), testing::EndsWith(", got model.safetensors"));
}

TEST_F(WeightFilesTest, AFolderThatIsNoModelIsCalledWhatItIs) {
  const auto message = [&] {
    return message_of<ConfigError>([&] { open_model_folder(folder_.path()); });
  };
  const auto name = folder_.path().string();
  EXPECT_EQ(message(), name + ": not a model folder, it has no config.json");
  make_folder(folder_ / "vae");
  write_text("vae/config.json", "{}");
  write_text("model_index.json", "{}");
  EXPECT_EQ(message(), name +
                           ": not a model folder, it is a pipeline; name one "
                           "of its parts: vae");
  write_text("store.json", "{}");
  EXPECT_EQ(message(), name +
                           ": not a model folder, it is a latent store, and a "
                           "model is named first");
  EXPECT_EQ(message_of<ConfigError>(
                [&] { open_model_folder(folder_ / "store.json"); }),
            (folder_ / "store.json").string() +
                ": is a file, expected a model folder");
}

class OldAttention : public testing::Test {
 protected:
  OldAttention() {
    torch::manual_seed(3);
    attention_ = Attention(AttentionConfig{.channels = 4, .num_groups = 2});
    write_text("config.json", R"({"_class_name": "Toy"})");
  }

  void write_text(const std::string& name, std::string_view text) {
    write_file_atomic(folder_ / name, text);
  }

  /// The weights as `change` names and shapes them, loaded into another module.
  torch::Tensor output_of(
      const std::function<void(std::string&, at::Tensor&)>& change) {
    TensorFile file;
    for (const auto& [weight, value] : weights_of(*attention_).tensors) {
      auto name = weight;
      auto tensor = value;
      change(name, tensor);
      file.tensors[name] = tensor;
    }
    write_safetensors(folder_ / kWeightsName, file);
    Attention loaded(AttentionConfig{.channels = 4, .num_groups = 2});
    load_weights(*loaded, open_model_folder(folder_.path()));
    return loaded->forward(x_);
  }

  static void rename(std::string& name) {
    for (const auto& [now, then] :
         {std::pair("to_q", "query"), std::pair("to_k", "key"),
          std::pair("to_v", "value"), std::pair("to_out.0", "proj_attn")})
      if (name.starts_with(now)) name.replace(0, std::strlen(now), then);
  }

  TempFolder folder_;
  Attention attention_{nullptr};
  const torch::Tensor x_ = torch::linspace(-1, 1, 4 * 9).view({1, 4, 3, 3});
};

TEST_F(OldAttention, HasTheSameNumbersUnderItsNamesOf2022) {
  const torch::NoGradGuard no_grad;
  const auto want = attention_->forward(x_);
  const auto said = said_by([&] {
    EXPECT_TRUE(torch::equal(
        output_of([](std::string& name, at::Tensor&) { rename(name); }), want));
  });
  EXPECT_THAT(said, HasSubstr("attention under its names of 2022"));
}

TEST_F(OldAttention, MayBeConvolutionsUnderEitherName) {
  const torch::NoGradGuard no_grad;
  const auto want = attention_->forward(x_);
  const auto widen = [](at::Tensor& tensor) {
    if (tensor.dim() == 2) tensor = tensor.unsqueeze(-1).unsqueeze(-1);
  };
  EXPECT_TRUE(
      torch::equal(output_of([&](std::string& name, at::Tensor& tensor) {
                     rename(name);
                     widen(tensor);
                   }),
                   want));
  EXPECT_TRUE(torch::equal(
      output_of([&](std::string&, at::Tensor& tensor) { widen(tensor); }),
      want));
}

TEST_F(OldAttention, UnderBothNamesIsRefused) {
  auto file = weights_of(*attention_);
  file.tensors["query.weight"] = file.tensors["to_q.weight"].clone();
  write_safetensors(folder_ / kWeightsName, file);
  EXPECT_THAT(message_of<DataError>([&] {
                load_weights(*attention_, open_model_folder(folder_.path()));
              }),
              HasSubstr("unknown parameter query.weight"));
}

struct ToyConfig {
  int64_t width = 8;
  std::optional<double> shift;
  Json size = 32;
};

template <class Visitor>
void visit_fields(ToyConfig& c, Visitor&& visit) {
  visit("width", c.width);
  visit("shift", c.shift);
  visit("size", c.size);
}

ModelFolder folder_with(const char* class_name, const char* config) {
  return {.path = "m", .class_name = class_name, .config = Json::parse(config)};
}

TEST(ModelConfig, TakesNullForTheDefault) {
  const auto config = read_model_config<ToyConfig>(folder_with(
      "Published", R"({"width": null, "shift": null, "size": null})"));
  EXPECT_EQ(config.width, 8);
  EXPECT_FALSE(config.shift);
  EXPECT_TRUE(config.size.is_null());
}

TEST(ModelConfig, LeavesOutWhatItsClassDoesNotKnowAndSaysSo) {
  ToyConfig config;
  const auto said = said_by([&] {
    config = read_model_config<ToyConfig>(
        folder_with("Published", R"({"depth": 3, "width": 4, "wings": null})"));
  });
  EXPECT_EQ(config.width, 4);
  EXPECT_EQ(said,
            "m/config.json: keys that Published does not have are left out: "
            "\"depth\", \"wings\"\n");
}

TEST(ModelConfig, OfOurOwnClassesIsStrict) {
  EXPECT_EQ(message_of<ConfigError>([] {
              read_model_config<ToyConfig>(
                  folder_with("CalotypeToy", R"({"depth": 3})"));
            }),
            "m/config.json: unknown key \"depth\"; known are width, shift, "
            "size");
  EXPECT_EQ(message_of<ConfigError>([] {
              read_model_config<ToyConfig>(
                  folder_with("Published", R"({"width": "wide"})"));
            }),
            "m/config.json: width: expected a whole number, got \"wide\"");
}

}  // namespace
}  // namespace calotype
