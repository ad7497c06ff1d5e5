#include <benchmark/benchmark.h>

#include <fstream>
#include <string>
#include <vector>

#include "core/runtime.h"

namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0)
      return line.substr(line.find(':') + 2);
  return "unknown";
}

}  // namespace

int main(int argc, char** argv) {
  // Median and spread of five runs, unless the command line says otherwise.
  char repetitions[] = "--benchmark_repetitions=5";
  char aggregates[] = "--benchmark_report_aggregates_only=true";
  std::vector<char*> arguments{argv[0], repetitions, aggregates};
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = int(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  calotype::set_up_runtime({.device = "cpu"});
  benchmark::AddCustomContext("version", calotype::version_text());
  benchmark::AddCustomContext("cpu", cpu_model());
  benchmark::AddCustomContext("threads",
                              std::to_string(calotype::num_usable_cpus()));
  benchmark::RunSpecifiedBenchmarks();
}
