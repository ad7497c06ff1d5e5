#!/bin/bash
# openmp.sh BEFORE AFTER [ROUNDS]: the same benchmarks of two builds (folders with
# bench/ in them), in turns, on 1 and 2 threads; medians as a Markdown table.
# Threads wait passively, as they do in the program.
set -e
before=$1 after=$2 rounds=${3:-5}
export OMP_WAIT_POLICY=passive
results=$(mktemp)
trap 'rm -f "$results"' EXIT

# run BUILD LABEL THREADS PROGRAM ARGUMENT...: appends "label threads name value".
run() {
  local build=$1 label=$2 threads=$3 program=$4
  shift 4
  local cpus=0
  [ "$threads" = 2 ] && cpus=0,1
  taskset -c $cpus "$build/bench/$program" "$@" --benchmark_repetitions=1 \
      --benchmark_report_aggregates_only=false --benchmark_format=csv 2> /dev/null |
    awk -F, -v label="$label" -v threads="$threads" \
        '/^"/ { gsub(/"/, "", $1); print label, threads, $1, $3 }' >> "$results"
}

for ((round = 0; round < rounds; ++round)); do
  for threads in 1 2; do
    for label in before after; do
      run "${!label}" $label $threads norm_bench
      run "${!label}" $label $threads metrics_bench \
          --benchmark_filter='ssim|set_overlap/rows:1000/'
      cpus=0
      [ $threads = 2 ] && cpus=0,1
      taskset -c $cpus "${!label}/bench/store_gather" 2> /dev/null |
        awk -v label=$label -v threads=$threads \
            '/^StoreReader/ { print label, threads, "gather,_samples/s", $2 }' >> "$results"
    done
  done
done

echo "| work, real time in ms | before, 1 thread | now, 1 | before, 2 | now, 2 |"
echo "|---|---|---|---|---|"
sort "$results" | awk '
  { key = $3 SUBSEP $1 SUBSEP $2; values[key, ++count[key]] = $4; names[$3] = 1 }
  function median(name, label, threads,   key, n, i, j, sorted, swap) {
    key = name SUBSEP label SUBSEP threads
    n = count[key]
    for (i = 1; i <= n; ++i) sorted[i] = values[key, i] + 0
    for (i = 2; i <= n; ++i)
      for (j = i; j > 1 && sorted[j] < sorted[j - 1]; --j) {
        swap = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = swap
      }
    return n ? sprintf("%.4g", sorted[int((n + 1) / 2)]) : "-"
  }
  END {
    for (name in names)
      printf "| %s | %s | %s | %s | %s |\n", name, median(name, "before", 1),
          median(name, "after", 1), median(name, "before", 2), median(name, "after", 2)
  }'
