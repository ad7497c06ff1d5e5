#include "tools/demo.h"

#include <filesystem>
#include <system_error>

#include "core/files.h"
#include "core/runtime.h"
#include "evaluation/evaluate.h"
#include "evaluation/feature_network.h"
#include "tools/named_configs.h"
#include "tools/demo_report.h"
#include "tools/encode.h"
#include "tools/generate.h"
#include "tools/reconstruct.h"
#include "tools/stages.h"
#include "tools/token_demo.h"
#include "tools/train.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// What a preset changes in configs/, and how much it draws.
struct Preset {
  std::string train = "fashion-mnist:train";
  std::string test = "fashion-mnist:test";
  std::string vae = "fashion_vae";
  std::string diffusion = "fashion_diffusion";
  Json shortened;           // merged into "training" of each, for tests
  int64_t num_drawn = 500;  // images, the first 100 are shown
  std::string sampler = "dpmpp_2m";
  int64_t sampling_steps = 16;
  double guidance = 2;
};

Preset preset_of(const std::string& name) {
  Preset preset;
  if (name == "long") {
    preset.vae += "_long";
    preset.diffusion += "_long";
    preset.num_drawn = 2000;
    preset.sampling_steps = 32;
  }
  if (name == "tiny") {
    preset.train = "synthetic:128:28:1:1";
    preset.test = "synthetic:32:28:1:2";
    preset.shortened = {{"steps", 4},
                        {"batch_size", 16},
                        {"log_every", 1},
                        {"validate_every", 2},
                        {"validation_batches", 1}};
    preset.num_drawn = 20;
    preset.sampling_steps = 2;
  }
  return preset;
}

/// How this program is called from here: whoever came by ./run has it on no
/// search path.
std::string this_program() {
  std::error_code error;
  const auto path = fs::read_symlink("/proc/self/exe", error);
  if (error) return "calotype";
  const auto below = path.lexically_relative(fs::current_path(error));
  return (below.empty() || *below.begin() == ".." ? path : below).string();
}

/// One stage after the other, each timed.
class Demo {
 public:
  explicit Demo(const DemoJob& job)
      : job_(job), preset_(preset_of(job.preset)) {}

  Json run() {
    auto output = demo_folder(job_);
    output.begin();
    stages_.run("train the VAE",
                [&] { results_["vae"] = train_model("vae", preset_.vae); });
    stages_.run("encode both sets", [&] {
      encode_set("train", preset_.train);
      encode_set("test", preset_.test);
    });
    stages_.run("train the diffusion model", [&] {
      results_["diffusion"] = train_model("diffusion", preset_.diffusion);
    });
    stages_.run("train two codes of two numbers", [&] {
      for (const char* name : {"plane_vae", "plane_ae"})
        results_[name] = train_model(name, std::string("fashion_") + name);
    });
    stages_.run("draw and decode", [&] { results_["generate"] = draw(); });
    stages_.run("measure", [&] { measure(); });
    results_["seconds"] = stages_.seconds();
    results_["preset"] = job_.preset;
    results_["explore"] = explore_command("calotype");
    write_file_atomic(job_.out / "results.json", json_text(results_, 2) + "\n");
    write_demo_report(job_.out, results_);
    output.finish();
    return summary();
  }

 private:
  fs::path folder(const char* name) const { return job_.out / name; }

  Json train_model(const std::string& name, const std::string& config_name) {
    auto json = named_config(config_name);
    const bool on_latents = name == "diffusion";
    json["data"]["train"] =
        on_latents ? (folder("latents") / "train").string() : preset_.train;
    json["data"]["validation"] =
        on_latents ? (folder("latents") / "test").string()
                   : preset_.test + (job_.preset == "tiny" ? "" : "[0:1024]");
    if (!preset_.shortened.is_null())
      json["training"].update(preset_.shortened);
    TrainJob job{.out = job_.out / name, .device = job_.device};
    read_config(json, job.config, config_name);
    return train(job);
  }

  void encode_set(const std::string& name, const std::string& data) {
    const auto store = folder("latents") / name;
    results_["encode_" + name] = encode({.codec = folder("vae"),
                                         .data = data,
                                         .out = store,
                                         .batch_size = 128,
                                         .device = job_.device});
  }

  Json draw() {
    const GenerateJob job{.model = folder("diffusion"),
                          .out = folder("drawn"),
                          .codec = folder("vae"),
                          .count = preset_.num_drawn,
                          .steps = preset_.sampling_steps,
                          .sampler = preset_.sampler,
                          .guidance = preset_.guidance,
                          .batch_size = 100,
                          .fresh = true,
                          .device = job_.device};
    return generate(job);
  }

  void measure() {
    reconstruct({.codec = folder("vae"),
                 .data = preset_.test,
                 .out = folder("reconstructed"),
                 .fresh = true,
                 .device = job_.device});
    EvaluateJob job;
    job.model = folder("vae");
    job.data = preset_.test;
    job.features = kBuiltinNetwork;
    job.beside = {"jpeg", "webp"};
    job.report = folder("report") / "reconstructed";
    job.device = job_.device;
    results_["fidelity"] = evaluate(job);
    results_["drawn"] = compared(folder("drawn").string(), "drawn");
    // What as many real images get, which the test images are not.
    results_["real"] = compared(
        fmt::format("{}[0:{}]", preset_.train, preset_.num_drawn), "real");
  }

  /// What the built-in network says of num_drawn images beside the test set.
  Json compared(const std::string& images, const char* report) const {
    EvaluateJob job;
    job.model = kBuiltinNetwork;
    job.data = images;
    job.reference = preset_.test;
    job.manifold_samples = preset_.num_drawn;
    job.report = folder("report") / report;
    job.device = job_.device;
    return evaluate(job);
  }

  Json summary() const {
    const auto& fidelity = results_["fidelity"];
    const auto& drawn = results_["drawn"];
    return {{"report", (job_.out / "report" / "index.html").string()},
            {"mse", fidelity["mse"]},
            {"psnr_db_of_mean_mse", fidelity["psnr_db_of_mean_mse"]},
            {"ssim", fidelity["ssim"]},
            {"rate_bpp", fidelity["rate_bpp"]},
            {"reconstruction_frechet_distance", fidelity["frechet_distance"]},
            {"drawn_class_agreement", drawn.value("class_agreement", Json())},
            {"drawn_frechet_distance", drawn["frechet_distance"]},
            {"real_frechet_distance", results_["real"]["frechet_distance"]},
            {"took", duration_text(stages_.total())},
            {"explore", explore_command(this_program())}};
  }

  /// The two planes of the same images, side by side.
  std::string explore_command(const std::string& program) const {
    return fmt::format("{} explore {} --beside {} --data {}", program,
                       folder("plane_vae").string(),
                       folder("plane_ae").string(), preset_.test);
  }

  DemoJob job_;
  Preset preset_;
  Json results_ = Json::object();
  Stages stages_;
};

}  // namespace

Json demo(const DemoJob& given) {
  auto job = given;
  const bool on_emoji = job.preset.starts_with("emoji");
  if (job.out.empty()) job.out = on_emoji ? "demo_emoji" : "demo";
  return on_emoji ? token_demo(job) : Demo(job).run();
}

}  // namespace calotype
