#include "tools/compare_results.h"

#include <gmock/gmock.h>

#include "tests/tools/pair_folders.h"

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

TEST_F(CompareResults, RefuseUnlikeProtocolsAndOtherFiles) {
  write_pairs("made", 6);
  const auto report = [&](const char* name, EvaluateJob job) {
    job.report = folder_ / name;
    evaluate(job);
    return job.report;
  };
  const auto plain = report("a", pairs("made"));
  auto job = pairs("made");
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
