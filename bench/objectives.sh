#!/usr/bin/env bash
# Trains one network for each objective on the latents that
# `calotype demo --preset long` made, alike in all else:
#
#   bench/objectives.sh DEMO OUT [NAME...]
#
# NAME: epsilon, sample, v, v_min_snr, flow, edm; all of them without one. A run
# that is there goes on, or is kept. CALOTYPE_PROGRAM names the program,
# THREADS the threads of each. Afterwards
# `sampler_table TABLE builtin fashion-mnist:test OUT/*` compares what
# they draw.
set -euo pipefail

(($# >= 2)) || {
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}
demo=$1 out=$2
shift 2
names=("$@")
(($# > 0)) || names=(epsilon sample v v_min_snr flow edm)

# A scheduler_config.json of the classic kind.
ddim() {
  printf '{"_class_name":"DDIMScheduler","timestep_spacing":"trailing","beta_schedule":"%s","prediction_type":"%s"}' "$@"
}

for name in "${names[@]}"; do
  # What the objective may set: the noise path with the answer, and weights.
  levels='{"distribution":"uniform"}' weighting=uniform
  case $name in
    epsilon) scheduler=$(ddim linear epsilon) ;; # without signal, it says nothing
    sample) scheduler=$(ddim squaredcos_cap_v2 sample) ;;
    v) scheduler=$(ddim squaredcos_cap_v2 v_prediction) ;;
    v_min_snr)
      scheduler=$(ddim squaredcos_cap_v2 v_prediction)
      weighting=min_snr
      ;;
    flow)
      scheduler='{"_class_name":"FlowMatchEulerDiscreteScheduler"}'
      levels='{"distribution":"logit_normal"}'
      ;;
    edm) # for latents of unit variance, noise levels around 1
      scheduler='{"_class_name":"EDMEulerScheduler","sigma_data":1.0}'
      levels='{"log_sigma_mean":0}'
      ;;
    *)
      echo "objectives.sh: no objective is called $name" >&2
      exit 2
      ;;
  esac
  "${CALOTYPE_PROGRAM:-calotype}" train configs/fashion_diffusion_long.json \
    --out "$out/$name" ${THREADS:+--threads "$THREADS"} \
    --set "data.train=$demo/latents/train" --set "data.validation=$demo/latents/test" \
    --set "diffusion.scheduler=$scheduler" \
    --set "diffusion.objective.time_sampling=$levels" \
    --set "diffusion.objective.weighting=$weighting"
done
