#include "tools/compare_results.h"

#include <torch/torch.h>

#include <cmath>
#include <optional>

#include "core/error.h"
#include "metrics/uncertainty.h"
#include "tools/protocol.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

Json read_result(const fs::path& path) {
  const auto file = fs::is_directory(path) ? path / "result.json" : path;
  auto result = read_json_file(file);
  if (!result.is_object() || !result.contains("protocol") ||
      !result.contains("intervals"))
    throw DataError(file.string() +
                    ": holds no evaluation (no protocol and intervals)");
  return result;
}

/// What the interval of a difference was made of.
struct Finding {
  Interval interval;
  const char* by = "";
};

/// A number of each image; nothing where the result does not hold it, or where
/// some images have none.
std::optional<at::Tensor> image_values(const Json& result,
                                       const std::string& name) {
  const bool in_decibels = name == "psnr_db_mean_over_images";
  const auto at =
      Json::json_pointer("/samples/per_image/" + (in_decibels ? "mse" : name));
  if (!result.contains(at)) return {};
  const auto values =
      torch::tensor(result[at].get<std::vector<double>>(), torch::kDouble);
  if (!in_decibels) return values;
  if (!values.gt(0).all().item<bool>()) return {};
  return values.log10() * -10;
}

std::optional<Finding> paired_images(const Json& a, const Json& b,
                                     const std::string& name, uint64_t seed) {
  const auto of_a = image_values(a, name), of_b = image_values(b, name);
  const auto index = Json::json_pointer("/samples/per_image/index");
  if (!of_a || !of_b || a[index] != b[index]) return {};
  return Finding{bootstrap_means((*of_b - *of_a).unsqueeze(1), seed).at(0),
                 "paired images"};
}

/// Whether the groups of two results are of the same images: those of one set,
/// not of two that were drawn.
bool has_same_images(const Json& a, const Json& b) {
  return a["protocol"].contains("data") ||
         a["subject"]["data"]["hash"] == b["subject"]["data"]["hash"];
}

std::optional<Finding> paired_groups(const Json& a, const Json& b,
                                     const std::string& name) {
  const auto at = Json::json_pointer("/samples/left_out/" + name);
  if (!a.contains(at) || !b.contains(at) || !has_same_images(a, b)) return {};
  const auto of_a = a[at].get<std::vector<double>>();
  const auto of_b = b[at].get<std::vector<double>>();
  std::vector<double> apart;
  for (size_t i = 0; i < of_a.size() && i < of_b.size(); ++i)
    apart.push_back(of_b[i] - of_a[i]);
  return Finding{
      jackknife(b[name].get<double>() - a[name].get<double>(), apart),
      "paired groups"};
}

/// Of two numbers that were measured by themselves.
std::optional<Finding> from_intervals(const Json& a, const Json& b,
                                      const std::string& name) {
  const auto &of_a = a["intervals"][name], &of_b = b["intervals"][name];
  for (const auto* interval : {&of_a, &of_b})
    if (!(*interval)[0].is_number() || !(*interval)[1].is_number()) return {};
  const auto half = [](const Json& interval) {
    return (interval[1].get<double>() - interval[0].get<double>()) / 2;
  };
  const auto apart = b[name].get<double>() - a[name].get<double>();
  const auto reach = std::hypot(half(of_a), half(of_b));
  return Finding{{apart - reach, apart + reach}, "intervals"};
}

}  // namespace

Json compare_results(const fs::path& path_a, const fs::path& path_b) {
  const auto a = read_result(path_a), b = read_result(path_b);
  if (const auto difference = protocol_difference(a["protocol"], b["protocol"]);
      !difference.empty())
    throw ConfigError(fmt::format(
        "{} and {} were measured by unlike protocols, so their numbers do not "
        "compare: {}",
        path_a.string(), path_b.string(), difference));
  const auto seed = a["protocol"].value("seed", uint64_t{0});
  Json result{{"a", a["subject"]}, {"b", b["subject"]}};
  int64_t num_significant = 0, num_compared = 0;
  for (const auto& item : a["intervals"].items()) {
    const auto& name = item.key();
    if (!b["intervals"].contains(name) || !a.value(name, Json()).is_number() ||
        !b.value(name, Json()).is_number())
      continue;
    auto found = paired_images(a, b, name, seed);
    if (!found) found = paired_groups(a, b, name);
    if (!found) found = from_intervals(a, b, name);
    if (!found) continue;
    const bool significant =
        found->interval.low > 0 || found->interval.high < 0;
    num_significant += significant;
    ++num_compared;
    result["differences"][name] = {
        {"a", a[name]},
        {"b", b[name]},
        {"difference", b[name].get<double>() - a[name].get<double>()},
        {"interval", {found->interval.low, found->interval.high}},
        {"significant", significant},
        {"by", found->by}};
  }
  if (num_compared == 0)
    throw ConfigError(fmt::format("{} and {} have no number in common",
                                  path_a.string(), path_b.string()));
  result["compared"] = num_compared;
  result["significant"] = num_significant;
  if (a["protocol"]["version"] != b["protocol"]["version"])
    result["note"] = "measured by different versions, see protocol.version";
  return result;
}

}  // namespace calotype
