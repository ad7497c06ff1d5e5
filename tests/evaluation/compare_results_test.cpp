#include "evaluation/compare_results.h"

#include <gmock/gmock.h>

#include "datasets/image_source.h"
#include "tests/evaluation/pair_folders.h"

namespace calotype {
namespace {

using testing::HasSubstr;

class CompareResults : public EvaluatePairs {};

TEST_F(CompareResults, AreByTheImagesOwnDifferences) {
  write_pairs("good", 6, 1);
  write_pairs("bad", 7, 50);
  write_pairs("again", 6, 200);
  const auto report = [&](const char* made) {
    auto job = pairs(made);
    job.report = folder_ / (std::string(made) + "_report");
    const auto result = evaluate(job);
    write_file_atomic(folder_ / (std::string(made) + ".json"), result.dump());
    return job.report;
  };
  const auto good = report("good"), bad = report("bad"),
             again = report("again");
  const auto apart = compare_results(good, bad)["differences"];
  EXPECT_TRUE(apart["mse"]["significant"]);
  for (const char* key :
       {"mse", "ssim", "psnr_db_of_mean_mse", "psnr_db_mean_over_images"}) {
    EXPECT_EQ(apart[key]["by"], "paired images") << key;
    EXPECT_LT(apart[key]["interval"][0], apart[key]["difference"]) << key;
    EXPECT_GT(apart[key]["interval"][1], apart[key]["difference"]) << key;
  }
  EXPECT_GT(apart["mse"]["interval"][0].get<double>(), 0);
  EXPECT_NEAR(apart["mse"]["difference"].get<double>(),
              apart["mse"]["b"].get<double>() - apart["mse"]["a"].get<double>(),
              1e-15);
  EXPECT_FALSE(
      compare_results(good, again)["differences"]["mse"]["significant"]);
  // What was printed alone has no values of the images.
  const auto printed = compare_results(folder_ / "good.json",
                                       folder_ / "bad.json")["differences"];
  EXPECT_EQ(printed["mse"]["by"], "intervals");
  EXPECT_EQ(compare_results(good, good)["significant"], 0);
}

// Sets whose images have several sizes come in another order in other batches.
TEST_F(CompareResults, OfMixedSizesDoNotDependOnTheBatches) {
  for (uint64_t i = 0; i < 9; ++i) {
    const auto image = picture(20 + 10 * int64_t(i % 3), 30, 1, i);
    const auto name = fmt::format("{}.png", i);
    write_image(folder_ / "originals" / name, image);
    write_image(folder_ / "made" / name, noisy(image, 5, i));
  }
  const auto report = [&](const char* name, int64_t batch_size) {
    auto job = pairs("made");
    job.batch_size = batch_size;
    job.report = folder_ / name;
    evaluate(job);
    return read_json_file(job.report / "result.json");
  };
  const auto one = report("a", 1), three = report("b", 3);
  EXPECT_EQ(one["samples"], three["samples"]);
  EXPECT_EQ(one["intervals"], three["intervals"]);
  EXPECT_EQ(read_text_file(folder_ / "a" / "images.csv"),
            read_text_file(folder_ / "b" / "images.csv"));
  EXPECT_EQ(compare_results(folder_ / "a", folder_ / "b")["significant"], 0);
}

TEST_F(CompareResults, OfTwoSetsLeaveTheSameImagesOutTogether) {
  for (uint64_t i = 0; i < 80; ++i) {
    const auto name = fmt::format("{}.png", i);
    const auto image = open_source("synthetic:80:28:1")->load(int64_t(i)).image;
    write_image(folder_ / "originals" / name, image);
    write_image(folder_ / "good" / name, noisy(image, 20, i));
    write_image(folder_ / "bad" / name, noisy(image, 30, i + 500));
  }
  const auto report = [&](const char* made) {
    auto job = pairs(made);
    job.features = "builtin";
    job.report = folder_ / (std::string(made) + "_report");
    evaluate(job);
    return job.report;
  };
  const auto good = report("good"), bad = report("bad");
  const auto apart = compare_results(good, bad)["differences"];
  const auto back = compare_results(bad, good)["differences"];
  for (const char* key : {"frechet_distance", "kid"}) {
    const auto& found = apart[key];
    const auto low = found["interval"][0].get<double>(),
               high = found["interval"][1].get<double>(),
               difference = found["difference"].get<double>();
    EXPECT_EQ(found["by"], "paired groups");
    EXPECT_GT(difference, 0) << key;
    EXPECT_LT(low, difference) << key;
    EXPECT_GT(high, difference) << key;
    EXPECT_NEAR(back[key]["interval"][0].get<double>(), -high, 1e-12);
    EXPECT_NEAR(back[key]["interval"][1].get<double>(), -low, 1e-12);
    // Narrower than what the two intervals alone would tell.
    const auto width = [&](const fs::path& folder) {
      const auto ends =
          read_json_file(folder / "result.json")["intervals"][key];
      return ends[1].get<double>() - ends[0].get<double>();
    };
    EXPECT_LT(high - low, std::hypot(width(good), width(bad))) << key;
  }
}

// Draws and groups go by an image's place.
TEST_F(CompareResults, RefuseASetWhoseImagesHaveMoved) {
  write_pairs("made", 6);
  const auto broken = folder_ / "originals" / "class-0" / "4.png";
  write_file_atomic(broken, "no image");
  const auto report = [&](const char* name) {
    auto job = pairs("made");
    job.report = folder_ / name;
    evaluate(job);
    return job.report;
  };
  const auto skipping = report("a");
  fs::remove(broken);
  fs::remove(folder_ / "made" / "class-0" / "4.png");
  const auto without = report("b");
  EXPECT_THAT(
      message_of<ConfigError>([&] { compare_results(skipping, without); }),
      HasSubstr("data.hash"));
}

TEST_F(CompareResults, RefuseUnlikeProtocolsAndOtherFiles) {
  write_pairs("made", 6);
  const auto report = [&](const char* name, EvaluateJob job) {
    job.report = folder_ / name;
    evaluate(job);
    return job.report;
  };
  const auto plain = report("a", pairs("made"));
  EvaluateJob job;
  job.model = "pixels:1";
  job.data = (folder_ / "originals").string();
  // A codec and pairs have been shown the same images.
  const auto apart = compare_results(report("e", job), plain);
  EXPECT_TRUE(apart["differences"]["mse"]["significant"]);
  EXPECT_THAT(apart["not_compared"].get<std::string>(),
              HasSubstr("psnr_db_of_mean_mse"));
  job.rounding = "float";
  const auto raw = report("b", job);
  EXPECT_THAT(message_of<ConfigError>([&] { compare_results(plain, raw); }),
              HasSubstr("do not compare: rounding: \"round\" and \"float\""));
  fs::remove(folder_ / "made" / "class-0" / "4.png");
  fs::remove(folder_ / "originals" / "class-0" / "4.png");
  const auto fewer = report("c", pairs("made"));
  EXPECT_THAT(message_of<ConfigError>([&] { compare_results(plain, fewer); }),
              HasSubstr("data.images: 12 and 11"));
  for (const auto& [text, problem] :
       {std::pair(R"({"mse": 1})", "no protocol"),
        std::pair(R"({"protocol": {}, "intervals": {}})", "no seed"),
        std::pair(R"({"protocol": {"seed": 0}, "subject": {},
                      "intervals": {"mse": 3}})",
                  "an interval is not two numbers")}) {
    write_file_atomic(folder_ / "d.json", text);
    EXPECT_THAT(
        message_of<DataError>(
            [&] { compare_results(plain, folder_ / "d.json"); }),
        HasSubstr(std::string("d.json: holds no evaluation: ") + problem));
  }
}

}  // namespace
}  // namespace calotype
