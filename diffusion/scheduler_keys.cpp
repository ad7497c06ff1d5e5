#include "diffusion/scheduler_keys.h"

#include <set>

#include "diffusion/scheduler_classes.h"

namespace calotype {
namespace {

/// Those of classes that are not here, and of old versions of those that are.
const std::set<std::string> kKeysOfOthers = {
    // PNDM, DDIM inverse, IPNDM, LMS, DPM2, DEIS, SA-Solver, DPM-Solver SDE
    "skip_prk_steps", "set_alpha_to_zero", "predictor_order", "corrector_order",
    "tau_func", "noise_sampler_seed",
    // consistency models: LCM, TCD, CM, SCM
    "original_inference_steps", "timestep_scaling", "clip_denoised",
    // stochastic differential equations, Karras's VE
    "snr", "sampling_eps", "correct_steps", "beta_min", "beta_max", "s_min",
    "s_max",
    // discrete ones: VQ-Diffusion, Amused
    "num_vec_classes", "alpha_cum_start", "alpha_cum_end", "gamma_cum_start",
    "gamma_cum_end", "mask_token_id", "masking_schedule",
    // RePaint, Würstchen, CogVideoX, flow matching with LCM
    "eta", "scaler", "s", "snr_shift_scale", "scale_factors", "upscale_mode",
    // until 2022
    "tensor_format", "timestep_values", "predict_epsilon"};

std::set<std::string> all_keys() {
  auto keys = kKeysOfOthers;
  for (const auto& entry : scheduler_classes()) {
    keys.insert(entry.keys.begin(), entry.keys.end());
    keys.insert(entry.unused.begin(), entry.unused.end());
    for (const auto& item : entry.fixed.items()) keys.insert(item.key());
  }
  keys.insert({"use_flow_sigmas", "flow_shift"});
  return keys;
}

}  // namespace

bool is_scheduler_key(const std::string& key) {
  static const auto keys = all_keys();
  return keys.contains(key);
}

}  // namespace calotype
