#include "evaluation/compare_results.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/error.h"
#include "evaluation/protocol.h"
#include "metrics/uncertainty.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Throws DataError, naming `where`, unless `json` has `is_right`.
void expect_form(bool is_right, const fs::path& where, const char* what) {
  if (!is_right)
    throw DataError(
        fmt::format("{}: holds no evaluation: {}", where.string(), what));
}

bool is_number_list(const Json& json) {
  return json.is_array() && std::ranges::all_of(json, [](const Json& item) {
           return item.is_number();
         });
}

/// An evaluation whose every part has the form that is relied on below.
Json read_result(const fs::path& path) {
  const auto file = fs::is_directory(path) ? path / "result.json" : path;
  auto result = read_json_file(file);
  const auto is_object = [&](const char* key) {
    return result.is_object() && result.contains(key) &&
           result[key].is_object();
  };
  expect_form(is_object("protocol"), file, "no protocol");
  expect_form(result["protocol"].value("seed", Json()).is_number_unsigned(),
              file, "no seed in its protocol");
  expect_form(is_object("subject"), file, "no subject");
  expect_form(is_object("intervals"), file, "no intervals");
  for (const auto& ends : result["intervals"])
    expect_form(ends.is_array() && ends.size() == 2, file,
                "an interval is not two numbers");
  for (const char* part : {"per_image", "left_out"})
    for (const auto& values :
         result.value(Json::json_pointer(std::string("/samples/") + part),
                      Json::object()))
      expect_form(is_number_list(values), file, "a sample is no number");
  return result;
}

/// What the interval of a difference was made of.
struct Finding {
  Interval interval;
  const char* by = "";
};

/// Of two results the values of the same images, [N] each; nothing unless both
/// hold them.
std::optional<std::pair<at::Tensor, at::Tensor>> image_values(
    const Json& a, const Json& b, const std::string& name) {
  const Json::json_pointer values("/samples/per_image/" + name),
      index("/samples/per_image/index");
  for (const auto* result : {&a, &b})
    if (!result->contains(values) || !result->contains(index)) return {};
  if (a.at(index) != b.at(index) ||
      a.at(values).size() != b.at(values).size() || a.at(values).empty())
    return {};
  const auto tensor = [&](const Json& result) {
    return torch::tensor(result.at(values).get<std::vector<double>>(),
                         torch::kDouble);
  };
  return std::pair(tensor(a), tensor(b));
}

/// What `b` has more of than `a`, image by image, so that its mean is the
/// difference of the two numbers.
std::optional<at::Tensor> image_differences(const Json& a, const Json& b,
                                            const std::string& name) {
  const double per_decade = -10 / std::log(10.0);
  if (name == "psnr_db_of_mean_mse") {
    // To first order in what an image adds to the two means.
    const auto mse = image_values(a, b, "mse");
    if (!mse) return {};
    const auto mean_a = mse->first.mean(), mean_b = mse->second.mean();
    return per_decade * ((mean_b / mean_a).log() + mse->second / mean_b -
                         mse->first / mean_a);
  }
  if (name == "psnr_db_mean_over_images") {
    const auto mse = image_values(a, b, "mse");
    if (!mse ||
        !mse->first.gt(0).logical_and(mse->second.gt(0)).all().item<bool>())
      return {};
    return per_decade * (mse->second / mse->first).log();
  }
  const auto values = image_values(a, b, name);
  if (!values) return {};
  return values->second - values->first;
}

std::optional<Finding> paired_images(const Json& a, const Json& b,
                                     const std::string& name, uint64_t seed) {
  const auto apart = image_differences(a, b, name);
  if (!apart || apart->size(0) < kFewestForInterval) return {};
  return Finding{bootstrap_means(apart->unsqueeze(1), seed).at(0),
                 "paired images"};
}

/// Whether the groups of two results are of the same images: those of one set,
/// not of two that were drawn.
bool has_same_images(const Json& a, const Json& b) {
  const Json::json_pointer hash("/data/hash");
  if (a["protocol"].contains("data")) return true;
  return a["subject"].contains(hash) && b["subject"].contains(hash) &&
         a["subject"].at(hash) == b["subject"].at(hash);
}

std::optional<Finding> paired_groups(const Json& a, const Json& b,
                                     const std::string& name) {
  const Json::json_pointer at("/samples/left_out/" + name);
  if (!a.contains(at) || !b.contains(at) || !has_same_images(a, b)) return {};
  const auto of_a = a.at(at).get<std::vector<double>>();
  const auto of_b = b.at(at).get<std::vector<double>>();
  if (of_a.size() != of_b.size()) return {};
  std::vector<double> apart;
  for (size_t i = 0; i < of_a.size(); ++i) apart.push_back(of_b[i] - of_a[i]);
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
  const auto seed = a["protocol"]["seed"].get<uint64_t>();
  Json result{{"a", a["subject"]}, {"b", b["subject"]}};
  int64_t num_significant = 0, num_compared = 0;
  std::vector<std::string> not_compared;
  for (const auto& item : a["intervals"].items()) {
    const auto& name = item.key();
    if (!b["intervals"].contains(name) || !a.value(name, Json()).is_number() ||
        !b.value(name, Json()).is_number()) {
      not_compared.push_back(name);
      continue;
    }
    auto found = paired_images(a, b, name, seed);
    if (!found) found = paired_groups(a, b, name);
    if (!found) found = from_intervals(a, b, name);
    if (!found) {
      not_compared.push_back(name);
      continue;
    }
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
  if (!not_compared.empty())
    result["not_compared"] =
        fmt::format("{} (one of the two has no such number, or no interval)",
                    fmt::join(not_compared, ", "));
  // Without an interval, and half of what there is to know of a codec.
  for (const char* rate : {"rate_bpp", "entropy_coded_bpp"})
    if (a.value(rate, Json()).is_number() && b.value(rate, Json()).is_number())
      result["rates"][rate] = {{"a", a[rate]}, {"b", b[rate]}};
  if (a["protocol"].value("version", "") != b["protocol"].value("version", ""))
    result["note"] = "measured by different versions, see protocol.version";
  return result;
}

}  // namespace calotype
