#include "tools/encode.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>

#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_io.h"
#include "datasets/image_source.h"
#include "datasets/latent_store.h"
#include "diffusion/latent_space.h"
#include "nn/latent_preview.h"
#include "nn/model_folder.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/program.h"
#include "tools/inspect.h"
#include "tools/train.h"
#include "tools/verify.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// A codec of grey images with random weights and a step of 2 pixels.
void save_codec(const fs::path& folder) {
  torch::manual_seed(1);
  AutoencoderKL model(AutoencoderKLConfig{
      .in_channels = 1,
      .out_channels = 1,
      .down_block_types = {"DownEncoderBlock2D", "DownEncoderBlock2D"},
      .up_block_types = {"UpDecoderBlock2D", "UpDecoderBlock2D"},
      .block_out_channels = {8, 8},
      .latent_channels = 3,
      .norm_num_groups = 4});
  save_model_folder(folder, AutoencoderKLImpl::kClassName,
                    write_config(model->config()), weights_of(*model));
}

/// The same store as a kill before its last shard was written leaves it.
void break_off(const fs::path& store) {
  auto info = read_json_file(store / "store.json");
  info["complete"] = false;
  info["count"] = 0;
  for (const char* key : {"grid_shapes", "mean", "std"})
    info[key] = Json::array();
  info["preview"] = nullptr;
  write_file_atomic(store / "store.json", info.dump(2) + "\n");
  std::ifstream list(store / "shards.jsonl");
  std::string kept, line, last;
  while (std::getline(list, line)) {
    if (!last.empty()) kept += last + "\n";
    last = line;
  }
  write_file_atomic(store / "shards.jsonl", kept);
  fs::remove(store / Json::parse(last)["file"].get<std::string>());
}

std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename().string()] = content(entry.path().string());
  return files;
}

class Encode : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    save_codec(codec_);
  }

  EncodeJob job(const std::string& name) {
    return {.codec = codec_,
            .data = data_,
            .out = folder_ / name,
            .dtype = "fp32",
            .batch_size = 4,
            .rows_per_shard = 8};
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
  const auto whole = job("whole");
  encode(whole);
  auto again = whole;
  again.out = folder_ / "again";
  fs::copy(whole.out, again.out);
  break_off(again.out);
  ASSERT_NE(files_of(again.out), files_of(whole.out));
  encode(again);
  EXPECT_EQ(files_of(again.out), files_of(whole.out));
}

TEST_F(Encode, TakesEvenlyChosenImagesOfALargeSet) {
  data_ = "synthetic:1100:8:1:2";
  encode(job("store"));
  EXPECT_EQ(StoreReader(folder_ / "store").info().preview->num_images, 512);
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

}  // namespace
}  // namespace calotype
