#include <gtest/gtest.h>
#include <torch/utils.h>

#include "core/files.h"
#include "core/progress.h"
#include "datasets/image_source.h"
#include "images/image_io.h"
#include "models/codec.h"
#include "nn/model_folder.h"
#include "store/latent_store.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tests/tools/stores.h"
#include "tools/decode.h"
#include "tools/demo.h"
#include "tools/encode.h"
#include "tools/inspect.h"
#include "tools/verify.h"
#include "vae/autoencoder_kl.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// A tiny codec with random weights in `folder`.
class Pipeline : public testing::Test {
 protected:
  void SetUp() override {
    set_quiet(true);
    save_codec(codec_, 3);
  }

  TempFolder folder_;
  fs::path codec_ = folder_ / "codec", store_ = folder_ / "store",
           out_ = folder_ / "out";
};

TEST_F(Pipeline, EncodeThenDecodeIsTheCodecItself) {
  const torch::NoGradGuard no_grad;
  encode({.codec = codec_,
          .data = "synthetic:8:32",
          .out = store_,
          .dtype = "fp32",
          .batch_size = 4});
  decode({.codec = codec_, .store = store_, .out = out_});
  const auto source = open_source("synthetic:8:32");
  const auto codec = load_codec(codec_, at::kCPU).codec;
  for (int64_t i = 0; i < 8; ++i) {
    const auto image = to_tensor(source->load(i).image).unsqueeze(0);
    const auto want = to_image(codec->decode(codec->encode(image).mean)[0]);
    const auto file = out_ / (source->name(i) + ".png");
    const auto got = decode_image(read_file(file), file.string());
    ASSERT_EQ(got.pixels.size(), want.pixels.size());
    for (size_t p = 0; p < want.pixels.size(); ++p)
      ASSERT_LE(std::abs(int(got.pixels[p]) - int(want.pixels[p])), 1);
  }
  EXPECT_TRUE(verify(store_)["sound"].get<bool>());
}

TEST_F(Pipeline, ImagesOfAnySizeComeBackInTheirSize) {
  // Odd sizes, two of them alike, one smaller than the codec's step.
  const std::vector<std::array<int64_t, 2>> sizes{
      {7, 9}, {16, 5}, {7, 9}, {1, 1}};
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto [height, width] = sizes[i];
    const Image image{height, width, 3,
                      std::vector<uint8_t>(size_t(height * width * 3), 77)};
    make_folder(folder_ / "images");
    write_file_atomic(folder_ / "images" / fmt::format("{}.png", i),
                      encode_png(image));
  }
  encode(
      {.codec = codec_, .data = (folder_ / "images").string(), .out = store_});
  const StoreReader reader(store_);
  EXPECT_EQ(reader.info().grid_shapes.size(), 3u);
  decode({.codec = codec_, .store = store_, .out = out_});
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto file = out_ / fmt::format("{}.png", i);
    const auto image = decode_image(read_file(file), file.string());
    EXPECT_EQ(image.height, sizes[i][0]);
    EXPECT_EQ(image.width, sizes[i][1]);
  }
}

TEST_F(Pipeline, DemoGoesAllTheWayAndItsPicturesSayHowTheyWereMade) {
  const auto result = demo({.out = folder_ / "demo", .preset = "tiny"});
  EXPECT_GT(result["drawn_frechet_distance"].get<double>(), 0);
  const auto page =
      content((folder_ / "demo" / "report" / "index.html").string());
  for (const char* text :
       {"<svg", "data:image/png;base64", "bits per pixel",
        "Against the test set", "What it looks like", "How alike the sets are"})
    EXPECT_NE(page.find(text), std::string::npos) << text;

  fs::path drawn;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder_ / "demo" / "drawn"))
    if (entry.is_regular_file()) drawn = entry.path();
  const auto recipe = inspect(drawn)["text"]["calotype"];
  for (const char* key :
       {"seed", "steps", "sampler", "guidance", "model", "codec", "sample"})
    EXPECT_TRUE(recipe.contains(key)) << key;
  EXPECT_EQ(inspect(folder_ / "demo" / "vae")["kind"], "training run");
  EXPECT_EQ(inspect(folder_ / "demo" / "latents" / "train")["kind"],
            "latent store");
  for (const char* name : {"plane_vae", "plane_ae"})
    EXPECT_EQ(inspect(folder_ / "demo" / name)["config"]["latent_channels"], 2);
  EXPECT_NE(result["explore"].get<std::string>().find("plane_vae --beside"),
            std::string::npos);
}

TEST_F(Pipeline, TokenDemoDrawsWithBothGenerators) {
  const auto out = folder_ / "emoji";
  const auto result = demo({.out = out, .preset = "emoji-tiny"});
  EXPECT_GT(result["perplexity"].get<double>(), 1);
  const auto page = content((out / "report" / "index.html").string());
  for (const char* text :
       {"masked generator draws", "diffusion model draws", "dead codes"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
  for (const char* name : {"masked_drawn", "diffusion_drawn"})
    EXPECT_EQ(open_source((out / name).string())->size(), 9) << name;
}

TEST_F(Pipeline, SampleKIsTheSameInAnyCall) {
  demo({.out = folder_ / "demo", .preset = "tiny"});
  const auto draw = [&](const char* name, const char* first, const char* count,
                        const char* batch) {
    return run_program({"generate", (folder_ / "demo" / "diffusion").string(),
                        "--latents", "--out", (folder_ / name).string(),
                        "--first", first, "--count", count, "--batch-size",
                        batch, "--steps", "4", "--seed", "5", "--quiet"});
  };
  ASSERT_EQ(draw("all", "0", "6", "6").code, 0);
  ASSERT_EQ(draw("one", "4", "1", "1").code, 0);
  const StoreReader all(folder_ / "all"), one(folder_ / "one");
  EXPECT_TRUE(torch::allclose(all.gather(torch::tensor({int64_t{4}})).grid.mean,
                              one.gather(torch::tensor({int64_t{0}})).grid.mean,
                              1e-4, 1e-5));
}

}  // namespace
}  // namespace calotype
