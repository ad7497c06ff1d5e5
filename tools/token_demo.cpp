#include "tools/token_demo.h"

#include "core/files.h"
#include "evaluation/evaluate.h"
#include "tools/named_configs.h"
#include "tools/demo_report.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "tools/inspect.h"
#include "tools/reconstruct.h"
#include "tools/stages.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

class TokenDemo {
 public:
  explicit TokenDemo(const DemoJob& job)
      : job_(job), is_tiny_(job.preset == "emoji-tiny") {}

  Json run() {
    auto output = demo_folder(job_);
    output.begin();
    stages_.run("train the tokenizer",
                [&] { train_model("tokenizer", "emoji_vq", train_data()); });
    stages_.run("encode", [&] {
      for (const char* kind : {"tokens", "latents"})
        encode({.codec = job_.out / "tokenizer",
                .data = train_data(),
                .out = job_.out / kind,
                .kind = kind,
                .packing = kind == std::string("tokens") ? "bits" : "none",
                .device = job_.device});
    });
    stages_.run("train the masked generator", [&] {
      train_model("masked", "emoji_tokens", (job_.out / "tokens").string());
    });
    stages_.run("train the diffusion model", [&] {
      train_model("diffusion", "emoji_diffusion",
                  (job_.out / "latents").string());
    });
    stages_.run("draw and decode", [&] {
      draw("masked", is_tiny_ ? 2 : 16);
      draw("diffusion", is_tiny_ ? 2 : 30);
    });
    stages_.run("measure", [&] { measure(); });
    results_["seconds"] = stages_.seconds();
    results_["preset"] = job_.preset;
    write_file_atomic(job_.out / "results.json", json_text(results_, 2) + "\n");
    write_token_demo_report(job_.out, results_);
    output.finish();
    const auto& fidelity = results_["fidelity"];
    return {{"report", (job_.out / "report" / "index.html").string()},
            {"mse", fidelity["mse"]},
            {"psnr_db_of_mean_mse", fidelity["psnr_db_of_mean_mse"]},
            {"ssim", fidelity["ssim"]},
            {"rate_bpp", fidelity["rate_bpp"]},
            {"perplexity", fidelity["perplexity"]},
            {"took", duration_text(stages_.total())}};
  }

 private:
  std::string train_data() const {
    return is_tiny_ ? "synthetic:48:64:3:1" : "emoji:google:train";
  }
  std::string test_data() const {
    return is_tiny_ ? "synthetic:8:64:3:2" : "emoji:google:test";
  }

  void train_model(const std::string& name, const std::string& config_name,
                   const std::string& data) {
    auto json = named_config(config_name);
    json["data"]["train"] = data;
    if (name == "tokenizer") json["data"]["validation"] = test_data();
    if (is_tiny_)
      json["training"].update(
          {{"steps", 3}, {"batch_size", 16}, {"log_every", 1}});
    TrainJob job{.out = job_.out / name, .device = job_.device};
    read_config(json, job.config, config_name);
    train(job);
  }

  void draw(const std::string& name, int64_t steps) {
    const GenerateJob job{.model = job_.out / name,
                          .out = job_.out / (name + "_drawn"),
                          .codec = job_.out / "tokenizer",
                          .count = is_tiny_ ? 9 : 90,
                          .steps = steps,
                          .guidance = 2,
                          .batch_size = 30,
                          .fresh = true,
                          .device = job_.device};
    generate(job);
  }

  void measure() {
    const auto tokenizer = job_.out / "tokenizer";
    reconstruct({.codec = tokenizer,
                 .data = test_data(),
                 .out = job_.out / "reconstructed",
                 .fresh = true,
                 .device = job_.device});
    EvaluateJob job;
    job.model = tokenizer;
    job.data = test_data();
    job.beside = {"jpeg", "webp"};
    job.report = job_.out / "report" / "reconstructed";
    job.device = job_.device;
    results_["fidelity"] = evaluate(job);
    results_["tokens"] = inspect(job_.out / "tokens");
  }

  DemoJob job_;
  bool is_tiny_;
  Stages stages_;
  Json results_ = Json::object();
};

}  // namespace

Json token_demo(const DemoJob& job) {
  return TokenDemo(job).run();
}

}  // namespace calotype
