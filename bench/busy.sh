#!/bin/bash
# busy.sh BUILD [ROUNDS]: a training step alone and beside one busy process a CPU, with threads
# that spin while they wait (libgomp's default) and that sleep (the program's), in turns. Prints
# medians in ms.
set -e
build=$1 rounds=${2:-5}
cpus=$(nproc)
busy=()
trap 'kill "${busy[@]}" 2> /dev/null || true' EXIT

step_ms() {  # SETTING...: real time of one step
  env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT "$@" "$build/bench/models_bench" \
    --benchmark_filter=UNetTrains --benchmark_repetitions=1 --benchmark_min_time=1 \
    --benchmark_report_aggregates_only=false --benchmark_format=csv 2> /dev/null |
    awk -F, '/^"/ { print $3 }'
}

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

declare -A times
for ((round = 0; round < rounds; ++round)); do
  for beside in alone busy; do
    if [ $beside = busy ]; then
      for ((i = 0; i < cpus; ++i)); do
        (while :; do :; done) &
        busy+=($!)
      done
    fi
    times[spins,$beside]+="$(step_ms GOMP_SPINCOUNT=300000) "
    times[sleeps,$beside]+="$(step_ms OMP_WAIT_POLICY=passive) "
    if [ $beside = busy ]; then
      kill "${busy[@]}"
      wait "${busy[@]}" 2> /dev/null || true
      busy=()
    fi
  done
done
for waiting in spins sleeps; do
  for beside in alone busy; do
    echo "$waiting, $beside: $(tr ' ' '\n' <<< "${times[$waiting,$beside]}" | grep . | median) ms"
  done
done
