#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "evaluation/evaluate.h"
#include "images/image_io.h"
#include "images/resample.h"
#include "tests/evaluation/pair_folders.h"
#include "tests/support/fixtures.h"
#include "tests/support/message_of.h"
#include "tests/support/program.h"

// `evaluate` of reconstructions, from folders to numbers and pages.
namespace calotype {
namespace {

using testing::HasSubstr;

// tests/fixtures/metrics: what scikit-image says of the pairs.
TEST_F(EvaluatePairs, OfTheFixtureHasTheReferencesNumbers) {
  const auto fixture = fixtures_folder() / "metrics";
  const auto expected = read_json_file(fixture / "metrics.json");
  const auto count = expected["psnr"].size();
  for (size_t i = 0; i < count; ++i)
    for (const auto& [from, to] :
         {std::pair("a", "originals"), std::pair("b", "made")}) {
      make_folder(folder_ / to);
      fs::copy_file(fixture / fmt::format("{}{}.png", from, i),
                    folder_ / to / fmt::format("{}.png", i));
    }
  auto job = pairs("made");
  job.report = folder_ / "report";
  const auto result = evaluate(job);
  double psnr = 0, ssim = 0, mse = 0;
  for (size_t i = 0; i < count; ++i) {
    psnr += expected["psnr"][i].get<double>() / double(count);
    ssim += expected["ssim_gaussian_11_1.5"][i].get<double>() / double(count);
    mse += expected["mse"][i].get<double>() / double(count);
  }
  EXPECT_NEAR(result["psnr_db_mean_over_images"].get<double>(), psnr, 1e-4);
  EXPECT_NEAR(result["psnr_db_of_mean_mse"].get<double>(),
              -10 * std::log10(mse), 1e-4);
  EXPECT_NEAR(result["ssim"].get<double>(), ssim, 1e-4);
  EXPECT_FALSE(result.contains("samples"));
  const auto whole = read_json_file(folder_ / "report" / "result.json");
  const auto& images = whole["samples"]["per_image"];
  for (size_t i = 0; i < count; ++i) {
    EXPECT_NEAR(images["mse"][i].get<double>(),
                expected["mse"][i].get<double>(), 1e-7);
    EXPECT_NEAR(images["ssim"][i].get<double>(),
                expected["ssim_gaussian_11_1.5"][i].get<double>(), 1e-4);
  }
}

// What goes wrong between programs, by how much it changes the numbers, and
// where the protocol shows it.
TEST_F(EvaluatePairs, ShowATruncationInNumbersAndProtocol) {
  EvaluateJob job;
  for (uint64_t i = 0; i < 4; ++i)
    write_image(folder_ / "originals" / fmt::format("{}.png", i),
                picture(40, 40, 1, i));
  job.model = "pixels:1";
  job.dtype = "bf16";  // values come out up to half a byte off
  job.data = (folder_ / "originals").string();
  auto truncated = job, as_float = job;
  truncated.rounding = "truncate";
  as_float.rounding = "float";
  const auto seen = evaluate(job), cut = evaluate(truncated),
             raw = evaluate(as_float);
  EXPECT_EQ(seen["mse"], 0);
  EXPECT_NEAR(cut["psnr_db_of_mean_mse"].get<double>(), 50.95, 0.01);
  EXPECT_NEAR(raw["psnr_db_of_mean_mse"].get<double>(), 66.91, 0.01);
  EXPECT_EQ(seen["protocol"]["rounding"], "round");
  EXPECT_EQ(cut["protocol"]["rounding"], "truncate");
  EXPECT_EQ(raw["protocol"]["rounding"], "float");
}

TEST_F(EvaluatePairs, ShowAResizeWithoutAntialiasing) {
  for (uint64_t i = 0; i < 4; ++i) {
    const auto name = fmt::format("{}.png", i);
    const auto large = picture(96, 96, 1, i);
    write_image(folder_ / "originals" / name, large);
    write_image(folder_ / "made" / name,
                resample(large, 32, 32, Kernel::kTriangle));
  }
  auto job = pairs("made");
  job.preprocessing.size = 32;
  job.preprocessing.resize = "bilinear";
  const auto right = evaluate(job);
  EXPECT_EQ(right["images_without_error"], 4);
  EXPECT_TRUE(right["psnr_db_of_mean_mse"].is_null());
  job.preprocessing.resize = "aliased";
  const auto aliased = evaluate(job);
  EXPECT_NEAR(aliased["psnr_db_of_mean_mse"].get<double>(), 26.35, 0.05);
  EXPECT_EQ(aliased["protocol"]["preprocessing"]["resize"], "aliased");
}

TEST_F(EvaluatePairs, ShowAShiftedCrop) {
  for (uint64_t i = 0; i < 4; ++i) {
    const auto name = fmt::format("{}.png", i);
    const auto wide = picture(40, 41, 1, i);
    write_image(folder_ / "originals" / name, wide);
    Image shifted{40, 40, 1, {}};  // the centre crop begins at 0, this at 1
    for (int64_t y = 0; y < 40; ++y)
      shifted.pixels.insert(shifted.pixels.end(),
                            wide.pixels.begin() + y * 41 + 1,
                            wide.pixels.begin() + (y + 1) * 41);
    write_image(folder_ / "made" / name, shifted);
  }
  auto job = pairs("made");
  job.preprocessing.size = 40;
  EXPECT_NEAR(evaluate(job)["psnr_db_of_mean_mse"].get<double>(), 25.00, 0.01);

  // Two who crop differently have other originals, and the hash says so.
  auto other = pairs("made", "made");
  const auto hash = [&](const EvaluateJob& one) {
    return evaluate(one)["protocol"]["data"]["hash"];
  };
  EXPECT_NE(hash(job), hash(other));
}

TEST_F(EvaluatePairs, NeedAPartnerForEachImage) {
  write_pairs("made", 3);
  fs::remove(folder_ / "made" / "class-0" / "4.png");
  EXPECT_THAT(
      refusal(pairs("made")),
      HasSubstr("1 of 12 images in " + (folder_ / "originals").string() +
                " have none, such as class-0/4.png"));
  fs::remove(folder_ / "originals" / "class-0" / "4.png");
  fs::remove(folder_ / "originals" / "class-1" / "5.png");
  EXPECT_THAT(refusal(pairs("made")),
              HasSubstr("have none, such as class-1/5.png"));
  write_image(folder_ / "others" / "x.png", picture(40, 40, 1, 1));
  EXPECT_THAT(refusal(pairs("others")), HasSubstr("10 of 10 images"));
}

TEST_F(EvaluatePairs, MayHaveOtherEndings) {
  write_pairs("made", 3);
  const auto before = evaluate(pairs("made"));
  fs::rename(folder_ / "made" / "class-0" / "4.png",
             folder_ / "made" / "class-0" / "4.PNG");
  EXPECT_EQ(evaluate(pairs("made"))["mse"], before["mse"]);
  write_image(folder_ / "made" / "class-0" / "4.png", picture(40, 40, 1, 1));
  EXPECT_THAT(refusal(pairs("made")),
              HasSubstr("two images that are called class-0/4"));
}

TEST_F(EvaluatePairs, OfOtherSizesAreNamed) {
  write_pairs("made", 3);
  write_image(folder_ / "made" / "class-0" / "4.png", picture(32, 40, 1, 4));
  EXPECT_THAT(message_of<DataError>([&] { evaluate(pairs("made")); }),
              HasSubstr("class-0/4.png in " + (folder_ / "made").string() +
                        " has 40x32 pixels, its original 40x40"));
}

TEST_F(EvaluatePairs, HaveIntervalsRatesAndABreakdown) {
  write_pairs("made", 6);
  auto job = pairs("made");
  job.report = folder_ / "report";
  const auto result = evaluate(job);
  for (const char* key : {"mse", "mae", "ssim", "psnr_db_mean_over_images",
                          "psnr_db_of_mean_mse"}) {
    EXPECT_LT(result["intervals"][key][0], result[key]) << key;
    EXPECT_GT(result["intervals"][key][1], result[key]) << key;
  }
  EXPECT_FALSE(result.contains("rate_bpp"));  // PNG: not what was stored
  const auto whole = read_json_file(folder_ / "report" / "result.json");
  const auto& classes = whole["breakdown"]["per_class"];
  ASSERT_EQ(classes.size(), 2u);
  EXPECT_NEAR((classes["class-0"]["mse"].get<double>() +
               classes["class-1"]["mse"].get<double>()) /
                  2,
              result["mse"].get<double>(), 1e-12);
  EXPECT_TRUE(whole["breakdown"]["per_size"].empty());  // all alike
}

TEST_F(EvaluatePairs, OfLossyFilesHaveARate) {
  write_pairs("made", 6);
  write_as_jpeg("made", "jpeg");
  const auto bytes_in = [&](const char* set) {
    double sum = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / set))
      if (entry.is_regular_file()) sum += double(entry.file_size());
    return sum;
  };
  const auto result = evaluate(pairs("jpeg"));
  EXPECT_NEAR(result["rate_bpp"].get<double>(),
              8 * bytes_in("jpeg") / (12 * 1600), 1e-9);
  EXPECT_NEAR(result["compression_ratio"].get<double>(),
              12 * 1600 / bytes_in("jpeg"), 1e-9);
  EXPECT_NEAR(result["compression_ratio_of_files"].get<double>(),
              bytes_in("originals") / bytes_in("jpeg"), 1e-9);
  auto job = pairs("made");
  job.beside = {"webp"};
  EXPECT_THAT(refusal(job), HasSubstr("JPEG or WebP files"));
}

TEST_F(EvaluatePairs, WriteAPageThatNeedsNothingElse) {
  write_pairs("made", 6);
  // A set of mixed sizes, and one image without error.
  const Image even{30, 70, 1, std::vector<uint8_t>(30 * 70, 128)};
  for (const char* set : {"originals", "made"})
    write_image(folder_ / set / "class-0" / "wide.png", even);
  write_as_jpeg("made", "jpeg");
  auto job = pairs("jpeg");
  job.report = folder_ / "report";
  job.beside = {"jpeg", "webp"};
  evaluate(job);
  const auto page = content((folder_ / "report" / "index.html").string());
  for (const char* text :
       {"Worst", "Median", "Best", "wide.png (no error)", "95 % interval",
        "Protocol", "By class", "By size", "70x30", "Beside ordinary formats",
        "<svg", "data:image/png;base64"})
    EXPECT_THAT(page, HasSubstr(text));
  const auto words = words_of_page("report");
  for (const char* text :
       {"src=\"http", "href=", "url(", "<script", "src=\"/", "nan"})
    EXPECT_EQ(words.find(text), words.npos) << text;
  const auto table = content((folder_ / "report" / "images.csv").string());
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 14);
  EXPECT_THAT(table, testing::StartsWith(
                         "index,name,class,width,height,psnr_db,mse,mae,ssim\n"
                         "0,class-0/0.png,class-0,40,40,"));
  EXPECT_THAT(table, HasSubstr("wide.png,class-0,70,30,inf,0,0,1"));
}

TEST_F(EvaluatePairs, AllBlackAndEqualHaveNoNumberThatIsNone) {
  for (int i = 0; i < 3; ++i)
    for (const char* set : {"originals", "made"})
      write_image(folder_ / set / fmt::format("{}.png", i),
                  {28, 28, 1, std::vector<uint8_t>(784)});
  auto job = pairs("made");
  job.features = "builtin";
  job.report = folder_ / "report";
  const auto result = evaluate(job);
  EXPECT_EQ(result["mse"], 0);
  EXPECT_EQ(result["ssim"], 1);
  EXPECT_TRUE(result["psnr_db_of_mean_mse"].is_null());
  EXPECT_NEAR(result["frechet_distance"].get<double>(), 0, 1e-9);
  EXPECT_TRUE(result["precision"].is_null());  // 3 images have too few others
  EXPECT_NEAR(result["kid"].get<double>(), 0, 1e-9);  // without an interval
  EXPECT_THAT(result["note"].get<std::string>(),
              HasSubstr("the reconstructions, and all of the originals are"));
  for (const auto& text : {result.dump(), words_of_page("report")})
    EXPECT_EQ(text.find("nan"), text.npos);
}

TEST_F(EvaluatePairs, MayMixGreyAndColours) {
  for (const char* set : {"originals", "made"}) {
    write_image(folder_ / set / "a.png", picture(40, 40, 1, 1));
    write_image(folder_ / set / "b.png", picture(40, 40, 3, 2));
  }
  const auto result = evaluate(pairs("made"));
  EXPECT_EQ(result["images_without_error"], 2);
  EXPECT_EQ(result["protocol"]["preprocessing"]["channels"], 0);
  // A codec of grey images says what it was not shown.
  EvaluateJob grey;
  grey.model = "pixels:1";
  grey.data = (folder_ / "originals").string();
  const auto greyed = evaluate(grey);
  EXPECT_THAT(greyed["note"].get<std::string>(),
              HasSubstr("1 of the images are stored in colour"));
  EXPECT_FALSE(greyed.contains("compression_ratio_of_files"));
}

TEST_F(EvaluatePairs, SayWhereMultiScaleSsimIsLeftOut) {
  for (const char* set : {"originals", "made"}) {
    write_image(folder_ / set / "a.png", picture(40, 40, 1, 1));
    write_image(folder_ / set / "b.png", picture(180, 180, 1, 2));
  }
  const auto result = evaluate(pairs("made"));
  EXPECT_FALSE(result.contains("ms_ssim"));
  EXPECT_EQ(result["note"],
            "MS-SSIM is left out: 1 of the images are below 176 pixels a side");
}

TEST_F(EvaluatePairs, LeaveOtherPagesAlone) {
  write_pairs("made", 6);
  auto job = pairs("made");
  job.report = folder_ / "report";
  make_folder(job.report);
  write_file_atomic(job.report / "index.html", "mine");
  EXPECT_THAT(
      refusal(job),
      HasSubstr("holds 1 file, such as index.html, which nothing proves "
                "to be of this program"));
  fs::remove(job.report / "index.html");
  evaluate(job);
  write_file_atomic(job.report / "mine.txt", "mine");
  evaluate(job);
  EXPECT_TRUE(fs::exists(job.report / "mine.txt"));
  write_file_atomic(job.report / "nearest_0.png", "mine");
  EXPECT_THAT(refusal(job), HasSubstr("such as nearest_0.png"));
  EXPECT_TRUE(fs::exists(job.report / "nearest_0.png"));
}

TEST_F(EvaluatePairs, OfFewImagesHaveNoInterval) {
  write_pairs("made", 6);
  auto job = pairs("made", "originals[0:3]");
  job.data += "[0:3]";
  EXPECT_TRUE(evaluate(job)["intervals"].empty());
}

TEST_F(EvaluatePairs, DividesFilesByThePixelsThatTheyHold) {
  write_pairs("made", 6);
  EvaluateJob job;
  job.model = "pixels:1";
  job.data = (folder_ / "originals").string();
  const auto whole = evaluate(job);
  job.preprocessing.size = 10;
  const auto small = evaluate(job);
  EXPECT_EQ(small["source_file_bpp"], whole["source_file_bpp"]);
  EXPECT_TRUE(whole.contains("compression_ratio_of_files"));
  EXPECT_FALSE(small.contains("compression_ratio_of_files"));
  // What the originals' files take is known, whatever was made of them.
  for (int i = 0; i < 3; ++i)
    write_image(folder_ / "drawn" / fmt::format("{:05}.png", i),
                picture(28, 28, 1, uint64_t(i)));
  auto others = pairs("made", "drawn");
  others.data = "fashion-mnist:test[0:3]";
  const auto rates = evaluate(others);
  EXPECT_TRUE(rates.contains("source_file_bpp"));
  EXPECT_FALSE(rates.contains("rate_bpp"));
}

}  // namespace
}  // namespace calotype
