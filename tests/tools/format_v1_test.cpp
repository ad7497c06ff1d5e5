#include <gmock/gmock.h>
#include <torch/types.h>

#include "core/files.h"
#include "core/progress.h"
#include "store/latent_store.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "tools/decode.h"
#include "tools/encode.h"
#include "tools/inspect.h"
#include "tools/train.h"

// tests/fixtures/v1: what the program wrote before format version 2 is read,
// and gone on with, by this one.
namespace calotype {
namespace {

namespace fs = std::filesystem;

class FormatV1 : public testing::Test {
 protected:
  void SetUp() override { set_quiet(true); }

  /// A copy that may be written to.
  fs::path copy(const char* what) {
    const auto to = folder_ / fs::path(what).filename();
    fs::copy(v1_ / what, to, fs::copy_options::recursive);
    return to;
  }

  EncodeJob job(const fs::path& store) const {
    return {.codec = v1_ / "vae",
            .data = (v1_ / "images").string(),
            .out = store,
            .batch_size = 2,
            .rows_per_shard = 8};
  }

  TempFolder folder_;
  const fs::path v1_ =
      fs::path(__FILE__).parent_path().parent_path() / "fixtures" / "v1";
};

TEST_F(FormatV1, ACompleteStoreOfTheSameImagesIsLeftAsItIs) {
  const auto store = copy("stores/moments-fp16");
  const auto before = content((store / "store.json").string());
  const auto result = encode(job(store));
  EXPECT_EQ(result["images"], 9);
  EXPECT_TRUE(result.contains("already_complete"));
  EXPECT_EQ(content((store / "store.json").string()), before);
}

TEST_F(FormatV1, ABrokenOffStoreIsFinishedAsOneOfVersion2) {
  const auto store = copy("stores/broken-off");
  const auto known = StoreReader(store, true).size();
  const auto result = encode(job(store));
  EXPECT_EQ(result["copied"], known);
  EXPECT_EQ(result["encoded"], 9 - known);
  const StoreReader reader(store);
  EXPECT_EQ(reader.info().format_version, 2);
  EXPECT_EQ(reader.size(), 9);
  EXPECT_EQ(reader.info().source["fingerprint_kind"], "contents");
  // Its rows are those of the store that was not broken off.
  const StoreReader whole(v1_ / "stores/moments-fp16");
  for (const auto& bucket : whole.buckets())
    for (const auto row : bucket) {
      const auto facts = whole.facts(row);
      const auto indices = reader.indices();
      const auto same =
          std::ranges::find(indices, facts.index) - indices.begin();
      const auto at = [](int64_t i) {
        return torch::full({1}, i, torch::kLong);
      };
      const auto got = reader.gather(at(same)).grid,
                 want = whole.gather(at(row)).grid;
      EXPECT_TRUE(torch::allclose(got.mean, want.mean, 1e-2, 1e-3));
    }
}

TEST_F(FormatV1, AStoreIsDecoded) {
  const auto result = decode({.codec = v1_ / "vae",
                              .store = v1_ / "stores/moments-bf16",
                              .out = folder_ / "decoded"});
  EXPECT_EQ(result["images"], 6);
}

TEST_F(FormatV1, ARunThatWasStoppedGoesOn) {
  const auto run = copy("codec_run");
  TrainJob job{.out = run};
  job.config = TrainConfig();
  read_config(read_json_file(run / "run.json").at("config"), job.config, "run");
  const auto result = train(job);
  EXPECT_EQ(result["step"], 6);
  EXPECT_EQ(inspect(run)["kind"], "training run");
}

TEST_F(FormatV1, ModelsAndDrawnImagesAreRead) {
  EXPECT_EQ(inspect(v1_ / "vae")["class"], "AutoencoderKL");
  EXPECT_EQ(inspect(v1_ / "vq")["class"], "VQModel");
  EXPECT_EQ(inspect(v1_ / "diffusion_run")["latent_space"]["grid_shape"].size(),
            3u);
  const auto drawn = inspect(v1_ / "drawn/circle/00000.png");
  EXPECT_TRUE(drawn["text"]["calotype"].is_object());
}

}  // namespace
}  // namespace calotype
