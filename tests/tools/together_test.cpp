#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "distributed/join.h"
#include "tests/support/free_port.h"
#include "tests/tools/training_runs.h"
#include "tools/encode.h"

namespace calotype {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Trainings of several processes, as torchrun starts them.
class Together : public TrainingRuns {
 protected:
  void SetUp() override {
    if (!can_join()) GTEST_SKIP() << "built without Gloo";
    TrainingRuns::SetUp();
    save_images("d", 24, {{16, 16}});
  }

  std::string written(const Json& json, const std::string& name) const {
    const auto file = at(name + ".json");
    write_file_atomic(file, json.dump());
    return file.string();
  }

  /// One `calotype train` each; `options` of those that are not usual.
  static std::vector<Outcome> processes(
      int count, const std::vector<std::string>& arguments,
      const std::vector<RunOptions>& options = {}) {
    std::vector<Outcome> outcomes(static_cast<size_t>(count));
    std::vector<std::thread> waiting;
    const auto port = free_port();
    for (int rank = 0; rank < count; ++rank)
      waiting.emplace_back([&, rank] {
        std::vector<std::string> command = {
            "/usr/bin/env",
            fmt::format("RANK={}", rank),
            fmt::format("WORLD_SIZE={}", count),
            fmt::format("LOCAL_RANK={}", rank),
            fmt::format("LOCAL_WORLD_SIZE={}", count),
            "MASTER_ADDR=127.0.0.1",
            fmt::format("MASTER_PORT={}", port),
            std::getenv("CALOTYPE_PROGRAM"),
            "train"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        outcomes[size_t(rank)] = run_command(
            command, options.empty() ? RunOptions{} : options[size_t(rank)]);
      });
    for (auto& one : waiting) one.join();
    return outcomes;
  }

  /// Trained by one process here, by two, and by two that stop and then three.
  void expect_same_bits(const Json& model, const std::string& data,
                        const Json& loss = {}) {
    auto json = config(model, data);
    json["training"]["batch_size"] = 24;
    json["training"]["slices"] = 3;
    json["training"]["validate_every"] = 2;
    json["data"]["validation"] = at(data).string();
    if (!loss.is_null()) json["loss"] = loss;
    const auto name = model.at("_class_name").get<std::string>();
    run(json, name + "1");
    const auto file = written(json, name);
    const auto train = [&](int count, const std::string& out,
                           std::vector<std::string> more = {}) {
      more.insert(more.begin(), {file, "--out", at(out).string()});
      for (const auto& outcome : processes(count, more))
        EXPECT_EQ(outcome.code, 0) << outcome.err;
    };
    train(2, name + "2");
    EXPECT_EQ(weights(name + "2"), weights(name + "1")) << model;
    EXPECT_EQ(metrics(name + "2"), metrics(name + "1")) << model;
    train(2, name + "3", {"--stop-after", "2"});
    train(3, name + "3");
    EXPECT_EQ(weights(name + "3"), weights(name + "1")) << model;
    EXPECT_EQ(metrics(name + "3"), metrics(name + "1")) << model;
  }

  /// What a run's log says, but for times.
  Json metrics(const std::string& run) const {
    Json lines = Json::array();
    for (auto line : read_metrics(at(run) / "metrics.jsonl")) {
      line.erase("elapsed_s");
      line.erase("samples_per_s");
      lines.push_back(line);
    }
    return lines;
  }
};

TEST_F(Together, SeveralProcessesTrainACodecToTheSameBits) {
  auto model = vae();
  model["mid_block_add_attention"] = true;
  expect_same_bits(model, "d",
                   {{"adversarial",
                     {{"weight", 0.1}, {"adaptive", false}, {"channels", 8}}}});
}

TEST_F(Together, RunningMeansOfACodebookCountOverAll) {
  auto model = vae();
  model["_class_name"] = "VQModel";
  model["num_vq_embeddings"] = 16;
  model["quantizer"] = {{"kind", "ema"}};
  expect_same_bits(model, "d");
}

TEST_F(Together, SeveralProcessesTrainADenoiserToTheSameBits) {
  run(config(vae(), "d"), "codec");
  EncodeJob encoding;
  encoding.codec = at("codec");
  encoding.data = at("d").string();
  encoding.out = at("latents");
  encode(encoding);
  auto dropping = unet();
  dropping["dropout"] = 0.2;
  expect_same_bits(dropping, "latents");
}

TEST_F(Together, OnlyTheFirstSpeaksAndWrites) {
  const auto file = written(config(vae(), "d"), "config");
  const auto all = processes(
      2, {file, "--out", at("run").string(), "--set", "training.slices=2"});
  EXPECT_THAT(all[0].err, HasSubstr("trains in 2 processes (RANK=0 "
                                    "WORLD_SIZE=2"));
  EXPECT_THAT(all[0].out, HasSubstr("steps_per_s"));
  EXPECT_EQ(all[1].err, "");
  EXPECT_EQ(all[1].out, "");
  EXPECT_EQ(read_metrics(at("run") / "metrics.jsonl").size(), 4U);
}

TEST_F(Together, FastSumsLearnTheSameButForLastDigits) {
  auto json = config(vae(), "d");
  json["training"]["slices"] = 2;
  run(json, "alone");
  json["training"]["reduce"] = "fast";
  const auto file = written(json, "config");
  for (const auto& outcome : processes(2, {file, "--out", at("fast").string()}))
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto alone = metrics("alone"), fast = metrics("fast");
  ASSERT_EQ(fast.size(), alone.size());
  EXPECT_EQ(fast[0]["loss"], alone[0]["loss"]);  // before the first sum
  EXPECT_NEAR(fast[3]["loss"].get<double>(), alone[3]["loss"].get<double>(),
              1e-4);
}

TEST_F(Together, RefusesMoreProcessesThanSlices) {
  const auto file = written(config(vae(), "d"), "config");
  for (const auto& outcome : processes(2, {file, "--out", at("run").string(),
                                           "--set", "training.slices=1"})) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err,
                HasSubstr("training.slices is 1, and there are 2 processes"));
  }
}

/// So long that it is still at work when a signal comes.
std::vector<std::string> long_training(const std::string& file,
                                       const std::string& out) {
  return {file,
          "--out",
          out,
          "--set",
          "training.steps=100000",
          "--set",
          "training.checkpoint_every=1000000",
          "--set",
          "training.validate_every=1000000",
          "--set",
          "training.sample_every=1000000",
          "--set",
          "training.slices=2",
          "--timeout",
          "30"};
}

TEST_F(Together, ASignalToOneStopsAllWithTheirStateSaved) {
  const auto file = written(config(vae(), "d"), "config");
  const auto all = processes(
      2, long_training(file, at("run").string()),
      {{},
       {.kill_at = (at("run") / "metrics.jsonl").string(), .signal = SIGTERM}});
  for (const auto& outcome : all) {
    EXPECT_EQ(outcome.code, 128 + SIGTERM) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("stopped"));
  }
  EXPECT_TRUE(std::filesystem::exists(at("run") / "state/state.safetensors"));
}

TEST_F(Together, WhoIsKilledIsNamedByTheOthers) {
  const auto file = written(config(vae(), "d"), "config");
  const auto all = processes(
      2, long_training(file, at("run").string()),
      {{},
       {.kill_at = (at("run") / "metrics.jsonl").string(), .signal = SIGKILL}});
  EXPECT_EQ(all[1].code, 128 + SIGKILL);
  EXPECT_EQ(all[0].code, 1);
  EXPECT_THAT(all[0].err,
              AllOf(HasSubstr("calotype (process 0 of 2): process 1 of 2 ("),
                    HasSubstr("does not live: it was killed")));
}

TEST_F(Together, OtherDataOfOneAreRefused) {
  save_images("other", 24, {{16, 16}}, /*first_seed=*/100);
  const auto file = written(config(vae(), "d"), "config");
  std::vector<Outcome> outcomes(2);
  const auto port = free_port();
  std::vector<std::thread> waiting;
  for (int rank = 0; rank < 2; ++rank)
    waiting.emplace_back([&, rank] {
      outcomes[size_t(rank)] = run_command(
          {"/usr/bin/env", fmt::format("RANK={}", rank), "WORLD_SIZE=2",
           "MASTER_ADDR=localhost", fmt::format("MASTER_PORT={}", port),
           std::getenv("CALOTYPE_PROGRAM"), "train", file, "--out",
           at("run").string(), "--set", "training.slices=2", "--data",
           at(rank == 0 ? "d" : "other").string()});
    });
  for (auto& one : waiting) one.join();
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err,
                HasSubstr("process 1 was given another configuration, or sees "
                          "other data, than process 0"));
  }
  EXPECT_FALSE(std::filesystem::exists(at("run") / "run.json"));
}

}  // namespace
}  // namespace calotype
