#include "report/skipped.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/files.h"
#include "images/lossy_format.h"
#include "images/png_chunks.h"
#include "store/latent_store.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Images that every viewer shows, each with something to say of it.
class ImagesWithNotes : public testing::Test {
 protected:
  void SetUp() override {
    make_folder(data_);
    Image image{60, 80, 3, {}};
    image.pixels.assign(60 * 80 * 3, 90);
    const auto jpeg = encode_lossy("jpeg", image, 90);
    write_file_atomic(data_ / "a.jpg", jpeg);
    write_file_atomic(
        data_ / "b.jpg",
        std::vector<uint8_t>(jpeg.begin(), jpeg.end() - 2));  // unmarked end

    const auto png = encode_png(image);
    const auto header_end = png.begin() + 8 + 25;
    std::vector<uint8_t> with_profile(png.begin(), header_end);
    append_png_chunk(with_profile, "iCCP", std::vector<uint8_t>{'x', 0, 0, 1});
    with_profile.insert(with_profile.end(), header_end, png.end());
    write_file_atomic(data_ / "c.png", with_profile);
  }

  std::vector<std::string> encode_with(std::vector<std::string> more) const {
    std::vector<std::string> words = {
        "encode", "pixels:3",      "--data", data_.string(),
        "--out",  store_.string(), "--json", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  TempFolder folder_;
  const fs::path data_ = folder_ / "data", store_ = folder_ / "store";
};

TEST_F(ImagesWithNotes, AreTakenAndToldAndChangeNoExitCode) {
  const auto outcome = run_program(encode_with({}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto result = outcome.json();
  EXPECT_EQ(result["images"], 3);
  EXPECT_EQ(result["num_skipped"], 0);
  EXPECT_EQ(result["num_warnings"], 1);
  EXPECT_EQ(result["warnings"][0]["name"], "b.jpg");
  EXPECT_EQ(result["warnings"][0]["reason"], "Premature end of JPEG file");
  EXPECT_EQ(result["color_profiles"]["a damaged profile"], 1);
  EXPECT_THAT(outcome.err,
              HasSubstr("warning: b.jpg: Premature end of JPEG file\n"));
  EXPECT_THAT(
      outcome.err,
      HasSubstr("1 of 3 images have a colour profile other than sRGB (a "
                "damaged profile): their pixels are taken as stored; "
                "--icc convert makes them sRGB\n"));
}

TEST_F(ImagesWithNotes, TheLimitMovesAndAJpegIsReadSmallerAboveIt) {
  const auto outcome =
      run_program(encode_with({"--size", "16", "--max-pixels", "2000"}));
  EXPECT_EQ(outcome.code, 3) << outcome.err;  // the PNG is too large now
  const auto result = outcome.json();
  EXPECT_EQ(result["skipped"].size(), 1u);
  EXPECT_EQ(result["skipped"][0]["name"], "c.png");
  EXPECT_THAT(result["skipped"][0]["reason"].get<std::string>(),
              HasSubstr("above the limit of 2000 pixels (--max-pixels)"));
  EXPECT_EQ(result["num_warnings"], 2);
  const StoreReader store(store_, /*allow_incomplete=*/true);
  EXPECT_EQ(store.info().preprocessing["max_pixels"], 2000);
  const auto rows = store.read(torch::arange(2));
  EXPECT_EQ(rows.sizes[0][0], 60);
  EXPECT_EQ(rows.sizes[0][1], 80);
}

TEST_F(ImagesWithNotes, AStoreOfAnUnaskedLimitSaysNothingOfIt) {
  ASSERT_EQ(run_program(encode_with({})).code, 0);
  const StoreReader store(store_);
  EXPECT_FALSE(store.info().preprocessing.contains("max_pixels"));
  EXPECT_FALSE(store.info().preprocessing.contains("icc"));
}

TEST(Notes, AreToldOnceHoweverOftenAnImageComesBack) {
  const auto tell = tell_notes_once();
  testing::internal::CaptureStderr();
  for (int epoch = 0; epoch < 3; ++epoch) {
    tell("a.jpg", {.remarks = {"odd"}});
    for (const char* name : {"b.jpg", "c.jpg"}) tell(name, {.profile = "P3"});
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "warning: a.jpg: odd\n"
            "b.jpg has the colour profile P3: pixels of such images are taken "
            "as stored; icc convert makes them sRGB\n");
}

}  // namespace
}  // namespace calotype
