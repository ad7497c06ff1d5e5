#include "explorer/diffusion_view.h"

#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/types.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "diffusion/samplers.h"
#include "explorer/answers.h"
#include "images/image_io.h"
#include "models/image_size.h"

namespace calotype {
namespace {

constexpr int64_t kMaxShown = 64;  // pictures of a way or a walk
constexpr int64_t kUsualSteps = 16;

}  // namespace

DiffusionView::DiffusionView(std::shared_ptr<LatentDiffusion> model,
                             LoadedCodec codec, c10::Device device)
    : model_(std::move(model)), codec_(std::move(codec)), device_(device) {}

Json DiffusionView::facts() const {
  return {{"classes", model_->denoiser()->num_classes() > 0
                          ? model_->space().class_names
                          : std::vector<std::string>()},
          {"samplers", sampler_names(model_->scheduler().schedule)},
          {"sampler", model_->sampler_of({})},
          {"steps", kUsualSteps}};
}

GenerateRequest DiffusionView::parsed(const Json& request, int64_t count,
                                      const OnStep& on_step) const {
  GenerateRequest parsed;
  parsed.samples = at::zeros({count}, at::kLong);
  parsed.seed = uint64_t(whole_number(request, "seed", 0, kMaxSeed, 0));
  parsed.num_steps = whole_number(request, "steps", 1, kMaxSteps, kUsualSteps);
  parsed.guidance.scale = real_number(request, "guidance", 0, kMaxGuidance, 1);
  if (request.contains("sampler") && request["sampler"].is_string())
    parsed.sampler = request["sampler"].get<std::string>();
  const auto label = class_of(request, model_->space().class_names);
  if (model_->denoiser()->num_classes() > 0)
    parsed.classes = at::full({count}, label, at::kLong);
  else if (label >= 0)
    throw ConfigError("the model knows no classes");
  parsed.on_step = [on_step](int64_t, int64_t) { on_step(); };
  return parsed;
}

at::Tensor DiffusionView::decoded(const at::Tensor& latents) const {
  return cut_to(codec_.codec->decode(latents.to(device_)).to(at::kCPU),
                model_->space().image_size);
}

Json DiffusionView::draw(const Json& request, const OnStep& on_step) const {
  const c10::InferenceMode inference;
  auto parsed = this->parsed(request, 1, on_step);
  const auto& shape = model_->space().grid_shape;
  if (request.contains("mask")) {
    parsed.initial.latents = code_from(list_of(request, "code"), shape);
    parsed.initial.repaint =
        code_from(list_of(request, "mask"), {1, shape[1], shape[2]})
            .ne(0)
            .to(at::kFloat);
  }
  std::vector<at::Tensor> way;
  parsed.preview_every = 1;
  parsed.on_preview = [&](int64_t, int64_t, const at::Tensor& latents) {
    way.push_back(latents.to(at::kCPU));
  };
  const auto latents = model_->generate(parsed);
  // Of a long way, pictures spread over it; the last is the end.
  std::vector<at::Tensor> shown;
  Json steps = Json::array();
  const auto all = int64_t(way.size()), num = std::min(all, kMaxShown);
  for (int64_t i = 0; i < num; ++i) {
    const auto at = num == 1 ? all - 1 : i * (all - 1) / (num - 1);
    shown.push_back(way[size_t(at)]);
    steps.push_back(at + 1);
  }
  Json json{{"code", packed(latents[0])},
            {"decoded", data_url(to_image(decoded(latents)[0]))}};
  if (!shown.empty()) {
    json["way"] = sheet_of(decoded(at::cat(shown)));
    json["way"]["steps"] = steps;
  }
  return json;
}

Json DiffusionView::walk(const Json& request, const OnStep& on_step) const {
  const c10::InferenceMode inference;
  const auto count = whole_number(request, "count", 2, kMaxShown, 9);
  auto parsed = this->parsed(request, count, on_step);
  parsed.other_seed = uint64_t(whole_number(request, "to_seed", 0, kMaxSeed));
  parsed.blend = at::linspace(0, 1, count, at::kFloat);
  const auto latents = model_->generate(parsed);
  Json json = sheet_of(decoded(latents));
  json["codes"] = packed(latents);
  return json;
}

}  // namespace calotype
