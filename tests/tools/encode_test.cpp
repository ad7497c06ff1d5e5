#include "tools/encode.h"

#include <gmock/gmock.h>
#include <torch/utils.h>

#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_source.h"
#include "diffusion/latent_space.h"
#include "images/image_io.h"
#include "models/codec.h"
#include "nn/latent_preview.h"
#include "nn/model_folder.h"
#include "nn/padding.h"
#include "store/latent_store.h"
#include "tests/support/message_of.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/stores.h"
#include "tools/decode.h"
#include "tools/inspect.h"
#include "tools/train.h"
#include "tools/verify.h"
#include "vae/autoencoder_kl.h"
#include "vqvae/vq_model.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::EndsWith;
using testing::HasSubstr;

/// The same store as a kill before its last shard was written leaves it.
void lose_last_shard(const fs::path& store) {
  auto lines = read_text_file(store / "shards.jsonl");
  lines.pop_back();
  const auto last = lines.rfind('\n') + 1;
  break_off(store, size_t(std::ranges::count(lines, '\n')));
  fs::remove(store /
             Json::parse(lines.substr(last))["file"].get<std::string>());
}

class Encode : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    save_codec(codec_, 1, 3);
  }

  EncodeJob job(const std::string& name) {
    return {.codec = codec_,
            .data = data_,
            .out = folder_ / name,
            .dtype = "fp32",
            .batch_size = 4,
            .rows_per_shard = 8};
  }

  EncodeJob flips_job(const std::string& name) {
    auto flips = job(name);
    flips.flips = true;
    return flips;
  }

  /// A folder of noise of odd sizes.
  std::string odd_images() {
    make_folder(folder_ / "odd");
    torch::manual_seed(3);
    int64_t number = 0;
    for (const auto& [height, width] :
         {std::pair<int64_t, int64_t>{7, 9}, {8, 5}, {7, 9}}) {
      const auto noise = torch::randint(0, 256, {height * width}, torch::kByte);
      const auto* bytes = noise.data_ptr<uint8_t>();
      write_file_atomic(
          folder_ / "odd" / fmt::format("{}.png", number++),
          encode_png({height, width, 1, {bytes, bytes + noise.numel()}}));
    }
    return (folder_ / "odd").string();
  }

  TrainJob train_job(const fs::path& store) {
    TrainJob job{.out = folder_ / "run"};
    auto json = Json::parse(R"({
        "model": {"_class_name": "UNet2DModel", "block_out_channels": [8],
                  "down_block_types": ["DownBlock2D"],
                  "up_block_types": ["UpBlock2D"], "layers_per_block": 1,
                  "norm_num_groups": 4},
        "diffusion": {},
        "training": {"steps": 6, "batch_size": 4, "checkpoint_every": 3}
      })");
    json["data"] = {{"train", store.string()}};
    read_config(json, job.config, "test");
    return job;
  }

  TempFolder folder_;
  fs::path codec_ = folder_ / "codec";
  std::string data_ = "synthetic:20:16:1:2";
};

TEST_F(Encode, FitsTheMapFromLatentsToCells) {
  const auto result = encode(job("store"));
  const StoreReader reader(folder_ / "store");
  ASSERT_TRUE(reader.info().preview.has_value());
  const auto& map = *reader.info().preview;
  EXPECT_EQ(map.num_images, 20);
  EXPECT_EQ(result["preview_r2"], map.r2);
  EXPECT_EQ(inspect(folder_ / "store")["preview_r2"], map.r2);

  // The same by LibTorch, of the means of 2x2 pixels written out.
  const auto source = open_source(data_);
  std::vector<at::Tensor> pixels;
  for (int64_t i = 0; i < 20; ++i)
    pixels.push_back(to_tensor(source->load(i).image));
  const auto image = torch::stack(pixels).to(torch::kDouble);
  const auto even = torch::arange(0, 16, 2), odd = even + 1;
  const auto rows_of = [&](const at::Tensor& y) {
    return image.index_select(2, y);
  };
  const auto means =
      (rows_of(even).index_select(3, even) +
       rows_of(even).index_select(3, odd) + rows_of(odd).index_select(3, even) +
       rows_of(odd).index_select(3, odd)) /
      4;
  const auto latents = reader.gather(torch::arange(20)).grid.mean;
  const auto z =
      latents.to(torch::kDouble).permute({0, 2, 3, 1}).reshape({-1, 3});
  const auto inputs =
      torch::cat({z, torch::ones({z.size(0), 1}, torch::kDouble)}, 1);
  const auto wanted = means.reshape({-1, 1});
  const auto solution =
      std::get<0>(torch::linalg_lstsq(inputs, wanted, {}, "gelsd"));
  for (int64_t d = 0; d < 3; ++d)
    EXPECT_NEAR(map.matrix[0][size_t(d)], solution[d][0].item<double>(), 1e-5);
  EXPECT_NEAR(map.bias[0], solution[3][0].item<double>(), 1e-5);
  const auto left = (inputs.mm(solution) - wanted).square().sum(),
             total = (wanted - wanted.mean()).square().sum();
  EXPECT_NEAR(map.r2, 1 - (left / total).item<double>(), 1e-6);

  const auto seen = latent_preview(latents, map.matrix, map.bias);
  EXPECT_EQ(seen.sizes(), (std::vector<int64_t>{20, 1, 8, 8}));
  EXPECT_TRUE(torch::allclose(
      seen,
      inputs.mm(solution).view({20, 1, 8, 8}).to(torch::kFloat).clamp(-1, 1),
      1e-4, 1e-4));
}

TEST_F(Encode, FindsTheSameMapAfterItWasBrokenOff) {
  for (const bool flips : {false, true}) {
    auto whole = job(flips ? "whole_flips" : "whole");
    whole.flips = flips;
    encode(whole);
    auto again = whole;
    again.out = folder_ / (flips ? "again_flips" : "again");
    fs::copy(whole.out, again.out);
    lose_last_shard(again.out);
    ASSERT_NE(files_of(again.out), files_of(whole.out));
    encode(again);
    EXPECT_EQ(files_of(again.out), files_of(whole.out));
  }
}

TEST_F(Encode, EncodesWhatACompleteStoreHasLost) {
  encode(job("store"));
  const auto whole = files_of(folder_ / "store");
  EXPECT_TRUE(encode(job("store")).contains("already_complete"));

  fs::remove(folder_ / "store" / "shard-00001.h5");
  EXPECT_EQ(encode(job("store"))["images"], 20);
  EXPECT_EQ(files_of(folder_ / "store"), whole);

  fs::resize_file(folder_ / "store" / "shard-00000.h5", 1000);
  EXPECT_EQ(encode(job("store"))["images"], 20);
  EXPECT_TRUE(verify_store(folder_ / "store").problems.empty());
}

TEST_F(Encode, TakesEvenlyChosenImagesOfALargeSet) {
  data_ = "synthetic:1100:8:1:2";
  encode(job("store"));
  const StoreReader reader(folder_ / "store");
  const auto source = open_source(data_);
  PreviewFit fit;
  for (int64_t k = 0; k < 512; ++k) {
    const auto index = k * 1100 / 512;
    const auto image = to_tensor(source->load(index).image).unsqueeze(0);
    fit.add(reader.gather(torch::tensor({index})).grid.mean,
            torch::avg_pool2d(image, 2));
  }
  const auto want = fit.fit(), got = *reader.info().preview;
  EXPECT_EQ(got.num_images, 512);
  EXPECT_NEAR(got.r2, want.r2, 1e-9);
  EXPECT_NEAR(got.bias[0], want.bias[0], 1e-9);
}

TEST_F(Encode, FitsASetThatIsAllBlack) {
  make_folder(folder_ / "black");
  for (int i = 0; i < 3; ++i)
    write_file_atomic(
        folder_ / "black" / fmt::format("{}.png", i),
        encode_png({8, 8, 1, std::vector<uint8_t>(64, uint8_t{0})}));
  data_ = (folder_ / "black").string();
  encode(job("store"));
  const StoreReader reader(folder_ / "store");
  const auto& map = *reader.info().preview;
  EXPECT_EQ(map.r2, 1);
  const auto seen = latent_preview(reader.gather(torch::arange(3)).grid.mean,
                                   map.matrix, map.bias);
  EXPECT_TRUE(torch::allclose(seen, torch::full_like(seen, -1)));
}

TEST_F(Encode, FitsImagesThatThePaddingCompletes) {
  data_ = odd_images();
  encode(job("store"));
  EXPECT_EQ(StoreReader(folder_ / "store").info().preview->num_images, 3);
  EXPECT_TRUE(verify(folder_ / "store")["sound"].get<bool>());
}

TEST_F(Encode, TrainingHandsTheMapOn) {
  encode(job("store"));
  train(train_job(folder_ / "store"));
  const auto space = read_latent_space(folder_ / "run" / "latent_space.json");
  const StoreReader reader(folder_ / "store");
  EXPECT_EQ(space.preview_matrix, reader.info().preview->matrix);
  EXPECT_EQ(space.preview_bias, reader.info().preview->bias);
}

TEST_F(Encode, StoresTheLatentsOfMirrorImages) {
  data_ = odd_images();  // mirrored before they are padded
  encode(flips_job("store"));
  const StoreReader reader(folder_ / "store");
  EXPECT_TRUE(reader.info().flips);
  EXPECT_EQ(inspect(folder_ / "store")["info"]["flips"], true);
  EXPECT_TRUE(verify(folder_ / "store")["sound"].get<bool>());
  const auto codec = load_codec(codec_, at::kCPU).codec;
  const auto source = open_source(data_);
  const torch::NoGradGuard no_grad;
  for (int64_t row = 0; row < 3; ++row) {
    const auto which = torch::tensor({row});
    for (const bool flipped : {false, true}) {
      const auto got =
          reader.gather(which, torch::full({1}, flipped, torch::kBool));
      auto image = to_tensor(source->load(got.indices.item<int64_t>()).image)
                       .unsqueeze(0);
      if (flipped) image = image.flip({3});
      const auto want = codec->encode(pad_to_multiple(image, 2));
      EXPECT_TRUE(torch::allclose(got.grid.mean, want.mean, 1e-4, 1e-5)) << row;
      EXPECT_TRUE(torch::allclose(got.grid.logvar, want.logvar, 1e-4, 1e-5));
      // That is another thing than the latents mirrored.
      const auto mirrored = reader.gather(which).grid.mean.flip({3});
      EXPECT_FALSE(torch::allclose(got.grid.mean, mirrored, 0.1, 0.1));
    }
  }
}

TEST_F(Encode, DecodesTheMirrorImages) {
  encode(flips_job("store"));
  const DecodeJob plain{
      .codec = codec_, .store = folder_ / "store", .out = folder_ / "mirrored"};
  auto mirrored = plain;
  mirrored.flipped = true;
  decode(mirrored);
  const auto source = open_source(data_);
  const auto codec = load_codec(codec_, at::kCPU).codec;
  const torch::NoGradGuard no_grad;
  const auto image = to_tensor(source->load(5).image).unsqueeze(0).flip({3});
  const auto want = to_image(codec->decode(codec->encode(image).mean)[0]);
  const auto file = folder_ / "mirrored" / (source->name(5) + ".png");
  const auto got = decode_image(read_file(file), file.string());
  ASSERT_EQ(got.pixels.size(), want.pixels.size());
  for (size_t p = 0; p < want.pixels.size(); ++p)
    ASSERT_LE(std::abs(int(got.pixels[p]) - int(want.pixels[p])), 1);

  encode(job("none"));
  mirrored.store = folder_ / "none";
  EXPECT_THAT(message_of<ConfigError>([&] { decode(mirrored); }),
              HasSubstr("none: has no latents of mirror images"));
}

TEST_F(Encode, RefusesAnotherSettingOfFlips) {
  encode(job("store"));
  EXPECT_THAT(message_of<ConfigError>([&] { encode(flips_job("store")); }),
              HasSubstr("flips is false in the store, true now"));
  encode(flips_job("flips"));
  lose_last_shard(folder_ / "flips");
  EXPECT_THAT(message_of<ConfigError>([&] { encode(job("flips")); }),
              HasSubstr("flips is true in the store, false now"));
}

TEST_F(Encode, HasNoFlipsOfTokens) {
  torch::manual_seed(1);
  VQModel model(VQModelConfig{.in_channels = 1,
                              .out_channels = 1,
                              .block_out_channels = {8},
                              .num_vq_embeddings = 16,
                              .norm_num_groups = 4});
  save_model_folder(folder_ / "vq", VQModelImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
  auto tokens = flips_job("tokens");
  tokens.codec = folder_ / "vq";
  EXPECT_EQ(message_of<ConfigError>([&] { encode(tokens); }),
            "encode: --flips is for latents, and these are tokens; say --kind "
            "latents");
  tokens.kind = "latents";
  encode(tokens);
  EXPECT_TRUE(StoreReader(tokens.out).info().flips);
}

TEST_F(Encode, TrainingShowsFlipsWhereTheStoreHasThem) {
  encode(job("plain"));
  encode(flips_job("flips"));
  const auto resolved = [&](const char* store, const Json& flips) {
    auto job = train_job(folder_ / store);
    job.dry_run = true;
    job.config.data.flips = flips;
    return train(job)["config"]["data"]["flips"];
  };
  EXPECT_EQ(resolved("plain", "auto"), false);
  EXPECT_EQ(resolved("flips", "auto"), true);
  EXPECT_EQ(resolved("flips", false), false);
  EXPECT_EQ(resolved("flips", true), true);
  EXPECT_THAT(message_of<ConfigError>([&] { resolved("plain", true); }),
              EndsWith("plain: has no latents of mirror images, which "
                       "data.flips asks for; encode with --flips"));
  EXPECT_EQ(message_of<ConfigError>([&] { resolved("plain", "yes"); }),
            "config: data.flips must be \"auto\", true or false, got \"yes\"");

  auto images = train_job("unused");
  images.config.model = {{"_class_name", "CalotypeClassifier"}};
  images.config.diffusion.reset();
  images.config.data.train = data_;
  images.config.data.flips = true;
  EXPECT_EQ(message_of<ConfigError>([&] { train(images); }),
            "config: data.flips is of stored latents; images are mirrored by "
            "data.preprocessing.flip");
}

TEST_F(Encode, TrainingOnFlipsStoppedAndContinuedIsTrainingThem) {
  encode(flips_job("flips"));
  const auto run = [&](const char* name, int64_t stop_after) {
    auto job = train_job(folder_ / "flips");
    job.out = folder_ / name;
    job.stop_after = stop_after;
    train(job);
    return content((job.out / "diffusion_pytorch_model.safetensors").string());
  };
  const auto whole = run("whole", 0);
  run("parts", 2);
  run("parts", 3);
  EXPECT_EQ(run("parts", 0), whole);

  auto without = train_job(folder_ / "flips");
  without.config.data.flips = false;
  train(without);
  EXPECT_NE(
      content((without.out / "diffusion_pytorch_model.safetensors").string()),
      whole);
}

}  // namespace
}  // namespace calotype
