#!/bin/bash
# busy.sh BUILD [ROUNDS]: a training step alone and beside one busy process a CPU, with threads
# that spin while they wait (libgomp's default) and that sleep (the program's), in turns. Prints
# medians in samples/s.
set -e
build=$1 rounds=${2:-5}
cpus=$(nproc)
busy=()
trap 'kill "${busy[@]}" 2> /dev/null || true' EXIT

shapes=$(dirname "$(readlink -f "$0")")/shapes.json

speed() {  # SETTING...: samples a second
  env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT "$@" "$build/bench/model_speed" \
    --shapes "$shapes" --shape unet-8 --task train --precision fp32 --rounds 1 2> /dev/null |
    sed -n 's/.*"per_s":\([0-9.]*\).*/\1/p'
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
    times[spins,$beside]+="$(speed GOMP_SPINCOUNT=300000) "
    times[sleeps,$beside]+="$(speed OMP_WAIT_POLICY=passive) "
    if [ $beside = busy ]; then
      kill "${busy[@]}"
      wait "${busy[@]}" 2> /dev/null || true
      busy=()
    fi
  done
done
for waiting in spins sleeps; do
  for beside in alone busy; do
    echo "$waiting, $beside: $(tr ' ' '\n' <<< "${times[$waiting,$beside]}" | grep . | median) samples/s"
  done
done
