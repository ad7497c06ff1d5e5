#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

#include "core/error.h"
#include "core/files.h"
#include "core/json_difference.h"
#include "core/runtime.h"
#include "core/stop_signal.h"
#include "core/text.h"
#include "diffusion/samplers.h"
#include "diffusion/scheduler_config.h"
#include "evaluation/evaluate.h"
#include "evaluation/feature_network.h"
#include "nn/model_folder.h"
#include "report/csv.h"
#include "tools/generate.h"
#include "training/run_folder.h"

// sampler_table OUT CLASSIFIER REFERENCE RUN... [options]
//
// Draws from each RUN by each sampler with each number of steps and compares
// what was drawn with REFERENCE: OUT/table.md and OUT/table.csv, written anew
// after each cell. A call that was broken off goes on where it was.
namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage =
    "usage: sampler_table OUT CLASSIFIER REFERENCE RUN...\n"
    "  --samplers NAME,...  default: all\n"
    "  --steps N,...        of the walk, 8,16,32,64; heun and edm ask twice\n"
    "  --count N            images per cell, 5000\n"
    "  --guidance W         weight of the class, 1: none\n"
    "  --seed N             of noise and draws, 0\n";

struct TableJob {
  fs::path out, classifier;
  std::string reference;
  std::vector<fs::path> runs;
  std::vector<std::string> samplers = sampler_names();
  std::vector<int64_t> steps = {8, 16, 32, 64};
  int64_t count = 5000;
  double guidance = 1;
  uint64_t seed = 0;
  c10::Device device{c10::kCPU};
};

template <class Number>
Number parse_number(const std::string& option, const std::string& text) {
  Number value{};
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end)
    throw ConfigError(
        fmt::format("{}: expected a number, got \"{}\"", option, text));
  return value;
}

TableJob parse(const std::vector<std::string>& arguments) {
  TableJob job;
  std::vector<std::string> places;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (!word.starts_with("--")) {
      places.push_back(word);
      continue;
    }
    if (++i == arguments.size()) throw ConfigError(word + ": needs a value");
    const auto& value = arguments[i];
    if (word == "--samplers") {
      job.samplers = split_at_commas(value);
    } else if (word == "--steps") {
      job.steps.clear();
      for (const auto& part : split_at_commas(value))
        job.steps.push_back(parse_number<int64_t>(word, part));
    } else if (word == "--count") {
      job.count = parse_number<int64_t>(word, value);
    } else if (word == "--guidance") {
      job.guidance = parse_number<double>(word, value);
    } else if (word == "--seed") {
      job.seed = parse_number<uint64_t>(word, value);
    } else {
      throw ConfigError("unknown option " + word);
    }
  }
  if (places.size() < 4) throw ConfigError(std::string("\n") + kUsage);
  job.out = places[0];
  job.classifier = places[1];
  job.reference = places[2];
  job.runs.assign(places.begin() + 3, places.end());
  return job;
}

/// What the network of a run was taught to answer.
std::string objective_of(const fs::path& run) {
  return read_scheduler_config(run / "scheduler_config.json")
      .schedule.prediction_type;
}

class Table {
 public:
  explicit Table(const TableJob& job)
      : job_(job),
        recipe_{{"classifier_sha256",
                 load_feature_network(job.classifier, job.device)->sha256()},
                {"reference", job.reference},
                {"count", job.count},
                {"guidance", job.guidance},
                {"seed", job.seed}} {
    make_folder(job.out / "cells");
    const auto file = job.out / "recipe.json";
    if (fs::exists(file))
      if (const auto other = difference_text(read_json_file(file), recipe_);
          !other.empty())
        throw ConfigError(fmt::format(
            "{}: holds a table of another recipe ({}); choose another OUT",
            job.out.string(), other));
    write_file_atomic(file, recipe_.dump(2) + "\n");
  }

  void run() {
    for (const auto& run : job_.runs) {
      const auto model = weights_sha256(open_model_folder(run)).substr(0, 12);
      const auto objective = objective_of(run);
      for (const auto& sampler : job_.samplers) {
        Row row{
            .run = run.string(), .objective = objective, .sampler = sampler};
        rows_.push_back(row);
        for (const auto steps : job_.steps) {
          rows_.back().cells.push_back(
              cell(run, fmt::format("{}_{}_{}", model, sampler, steps), sampler,
                   steps));
          write();
        }
      }
    }
  }

  /// Whether any sampler went with any run.
  bool is_empty() const {
    for (const auto& row : rows_)
      for (const auto& cell : row.cells)
        if (!cell.is_null()) return false;
    return true;
  }

 private:
  struct Row {
    std::string run, objective, sampler;
    std::vector<Json> cells;  // one for each number of steps; null: none
  };

  static Json no_cell(const fs::path& drawn, const char* reason) {
    fmt::print(stderr, "  no: {}\n", reason);
    fs::remove_all(drawn);
    return nullptr;
  }

  /// What was measured before, or now; null where the sampler refuses the run
  /// or leads it to what is no number.
  Json cell(const fs::path& run, const std::string& name,
            const std::string& sampler, int64_t steps) {
    const auto file = job_.out / "cells" / (name + ".json");
    if (fs::exists(file)) return read_json_file(file);
    const auto drawn = job_.out / "drawn" / name;
    fs::remove_all(drawn);
    fmt::print(stderr, "{}: {}, {} steps\n", run.string(), sampler, steps);
    Json made;
    try {
      made = generate({.model = run,
                       .out = drawn,
                       .count = job_.count,
                       .steps = steps,
                       .sampler = sampler,
                       .guidance = job_.guidance,
                       .seed = job_.seed,
                       .batch_size = 100,
                       .device = job_.device});
    } catch (const ConfigError& refusal) {
      return no_cell(drawn, refusal.what());
    } catch (const DataError& not_finite) {
      return no_cell(drawn, not_finite.what());
    }
    EvaluateJob measure;
    measure.model = job_.classifier;
    measure.data = drawn.string();
    measure.reference = job_.reference;
    measure.seed = job_.seed;
    measure.manifold_samples = job_.count;  // of both sets alike
    measure.device = job_.device;
    auto result = evaluate(measure);
    result["images_per_s"] = made["images_per_s"];
    result["recipe"] = made["recipe"];
    write_file_atomic(file, result.dump(2) + "\n");
    fs::remove_all(drawn);  // its overview stays beside it
    return result;
  }

  void write() const {
    std::string csv =
        "run,objective,sampler,steps,images,frechet_distance,kid,precision,"
        "recall,density,coverage,class_agreement,images_per_s\n";
    std::string table = fmt::format(
        "Fréchet distance, precision / recall of {} images against {}, "
        "guidance {}, seed {}; judged by {}.\n\n| run | objective | sampler |",
        job_.count, job_.reference, job_.guidance, job_.seed,
        recipe_["classifier_sha256"].get<std::string>().substr(0, 12));
    for (const auto steps : job_.steps)
      table += fmt::format(" {} steps |", steps);
    table += "\n|---|---|---|";
    for (size_t i = 0; i < job_.steps.size(); ++i) table += "---|";
    for (const auto& row : rows_) {
      table += fmt::format("\n| {} | {} | {} |", row.run, row.objective,
                           row.sampler);
      for (size_t i = 0; i < row.cells.size(); ++i) {
        const auto& cell = row.cells[i];
        table += cell.is_null() ? " – |"
                                : fmt::format(" {:.4g}, {} / {} |",
                                              number(cell, "frechet_distance"),
                                              share(cell, "precision"),
                                              share(cell, "recall"));
        if (!cell.is_null()) csv += csv_line(row, job_.steps[i], cell);
      }
    }
    write_file_atomic(job_.out / "table.md", table + "\n");
    write_file_atomic(job_.out / "table.csv", csv);
  }

  static double number(const Json& cell, const char* key) {
    return cell[key].get<double>();
  }

  /// Null where there were too few images.
  static std::string share(const Json& cell, const char* key) {
    return cell[key].is_null() ? "–" : fmt::format("{:.3f}", number(cell, key));
  }

  static std::string csv_line(const Row& row, int64_t steps, const Json& cell) {
    auto line = fmt::format("{},{},{},{},{}", csv_field(row.run), row.objective,
                            row.sampler, steps, cell["images"].get<int64_t>());
    for (const char* key :
         {"frechet_distance", "kid", "precision", "recall", "density",
          "coverage", "class_agreement", "images_per_s"})
      line += cell.contains(key) && cell[key].is_number()
                  ? fmt::format(",{}", number(cell, key))
                  : ",";
    return line + "\n";
  }

  TableJob job_;
  Json recipe_;
  std::vector<Row> rows_;
};

int run(const std::vector<std::string>& arguments) {
  install_stop_signals();
  auto job = parse(arguments);
  job.device = set_up_runtime({});
  Table table(job);
  table.run();
  if (table.is_empty())
    throw ConfigError("no sampler goes with any of the runs");
  fmt::print("{}", read_text_file(job.out / "table.md"));
  return 0;
}

}  // namespace
}  // namespace calotype

int main(int argc, char** argv) {
  try {
    return calotype::run({argv + 1, argv + argc});
  } catch (const calotype::Interrupted& signal) {
    fmt::print(stderr, "sampler_table: stopped; the same command goes on\n");
    return 128 + signal.signal;
  } catch (const calotype::ConfigError& error) {
    fmt::print(stderr, "sampler_table: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "sampler_table: {}\n", error.what());
    return 1;
  }
}
