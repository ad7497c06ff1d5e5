// The networks of shapes.json at work: prints a line of JSON for each round of
// each shape, task and precision, with images or samples a second. Weights are
// random. Batches are cut into slices as the program cuts them.
#include <fmt/format.h>
#include <torch/utils.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "core/failure.h"
#include "core/runtime.h"
#include "core/slices.h"
#include "diffusion/denoiser.h"
#include "models/registry.h"
#include "nn/precision.h"
#include "nn/sliced.h"
#include "training/adamw.h"
#include "training/ema.h"
#include "training/flat_parameters.h"
#include "training/trainer.h"

namespace calotype {
namespace {

struct Shape {
  std::string name;
  std::vector<std::string> tasks;
  int64_t batch = 1;
  std::vector<int64_t> size;  // of an image or a latent: [C,H,W]
  Json model;
};

std::vector<Shape> read_shapes(const std::string& file) {
  std::vector<Shape> shapes;
  for (const auto& entry : read_json_file(file))
    shapes.push_back({.name = entry.at("name"),
                      .tasks = entry.at("tasks"),
                      .batch = entry.at("batch"),
                      .size = entry.at("size"),
                      .model = entry.at("model")});
  return shapes;
}

/// A step of the trainer without its bookkeeping: gradients, AdamW, average.
class Stepper {
 public:
  explicit Stepper(torch::nn::Module& module)
      : flat_(module),
        optimizer_({}, flat_.values()),
        ema_(0.999, flat_.values()) {}

  void step(int64_t num_slices, const std::function<at::Tensor()>& loss) {
    const SliceScope slices(num_slices);
    flat_.gradients().zero_();
    {
      std::optional<AloneInLoops> alone;
      if (num_slices > 1) alone.emplace();
      loss().backward();
      euclidean_norm(flat_.gradients());
    }
    optimizer_.step(flat_.values(), flat_.gradients(), 1e-4, ++count_);
    ema_.update(flat_.values(), count_);
  }

 private:
  FlatParameters flat_;
  AdamW optimizer_;
  Ema ema_;
  int64_t count_ = 0;
};

/// What is done once for each batch, which a training cuts into so many slices.
std::function<void()> work_of(const Shape& shape, const std::string& task,
                              c10::Device device, int64_t num_slices) {
  const auto& known = configured_class(shape.model);
  torch::manual_seed(1);
  auto model = known.make(keys_of(shape.model));
  model.module->to(device);
  std::vector<int64_t> sizes{shape.batch};
  sizes.insert(sizes.end(), shape.size.begin(), shape.size.end());
  const auto data = torch::rand(sizes).mul(2).sub(1).to(device);
  const auto times = torch::arange(shape.batch, torch::kFloat).to(device);
  if (task == "encode")
    return [=] {
      const torch::InferenceMode inference;
      model.codec->encode(data).mean.cpu();
    };
  if (task == "decode") {
    const auto latents = torch::zeros_like(model.codec->encode(data).mean);
    return [=] {
      const torch::InferenceMode inference;
      model.codec->decode(latents).cpu();
    };
  }
  if (task == "denoise")
    return [=] {
      const torch::InferenceMode inference;
      denoise(*model.denoiser, data, times, {}).cpu();
    };
  if (task != "train") throw ConfigError("no such task: " + task);
  const auto stepper = std::make_shared<Stepper>(*model.module);
  if (model.denoiser)
    return [=] {
      stepper->step(num_slices, [&] {
        return (denoise(*model.denoiser, data, times, {}) - data)
            .square()
            .mean();
      });
    };
  const auto trainable =
      known.trainable(model, known.complete_loss(Json::object(), "loss"));
  const Batch batch{.data = data, .samples = torch::arange(shape.batch)};
  return [=] {
    stepper->step(num_slices, [&] { return trainable->losses(batch).total; });
  };
}

/// Batches a second over at least so many seconds, and two batches.
double batches_per_s(const std::function<void()>& work, double seconds) {
  const double begin = monotonic_s();
  int64_t count = 0;
  do {
    work();
    ++count;
  } while (count < 2 || monotonic_s() - begin < seconds);
  return double(count) / (monotonic_s() - begin);
}

int run(int argc, char** argv) {
  CLI::App app("Speed of the networks of shapes.json", "model_speed");
  std::string file = "bench/shapes.json", name, task, precision;
  RuntimeOptions runtime;
  int rounds = 5;
  int64_t slices = 0;
  double seconds = 2;
  app.add_option("--shapes", file, "List of networks")->capture_default_str();
  app.add_option("--shape", name, "Only the one of this name");
  app.add_option("--task", task, "Only encode, decode, denoise or train");
  app.add_option("--precision", precision, "Only fp32 or bf16");
  app.add_option("--rounds", rounds, "In turns through all")
      ->capture_default_str();
  app.add_option("--seconds", seconds, "Of each")->capture_default_str();
  app.add_option("--threads", runtime.num_threads, "0: all")
      ->capture_default_str();
  app.add_option("--slices", slices, "Of a training; 0: as usual");
  app.add_option("--device", runtime.device, "auto, cpu, cuda or cuda:N")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto device = set_up_runtime(runtime);
  fmt::print(stderr, "{}\n", version_text());

  struct Row {
    Json said;
    Precision precision;
    int64_t batch;
    std::function<void()> work;
  };
  std::vector<Row> rows;
  for (const auto& shape : read_shapes(file))
    for (const auto& one : shape.tasks)
      for (const std::string type : {"fp32", "bf16"}) {
        if ((!name.empty() && name != shape.name) ||
            (!task.empty() && task != one) ||
            (!precision.empty() && precision != type))
          continue;
        rows.push_back(
            {.said = {{"shape", shape.name},
                      {"task", one},
                      {"precision", type}},
             .precision = resolve_precision(type, device),
             .batch = shape.batch,
             .work = work_of(shape, one, device,
                             slices > 0 ? slices : usual_slices(shape.batch))});
      }
  if (rows.empty()) throw ConfigError("model_speed: nothing of this name");
  for (int round = 0; round <= rounds; ++round)
    for (auto& row : rows) {
      const PrecisionScope scope(row.precision);
      const bool warms_up = round == 0;
      const double speed = batches_per_s(row.work, warms_up ? 0 : seconds);
      if (warms_up) continue;
      row.said["per_s"] = speed * double(row.batch);
      fmt::print("{}\n", json_text(row.said));
      std::fflush(stdout);
    }
  return 0;
}

}  // namespace
}  // namespace calotype

int main(int argc, char** argv) {
  try {
    return calotype::run(argc, argv);
  } catch (...) {
    fmt::print(stderr, "model_speed: {}\n", calotype::current_failure().text);
    return 1;
  }
}
