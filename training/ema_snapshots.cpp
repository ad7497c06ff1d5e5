#include "training/ema_snapshots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <regex>
#include <set>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/files.h"
#include "nn/safetensors.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProfileKey = "calotype_average";

std::string name_of(const AverageProfile& profile) {
  return fmt::format("{}-{:07}", length_text(profile.length), profile.step);
}

std::optional<AverageProfile> profile_of(const std::string& file_name) {
  static const std::regex pattern(R"((\d\.\d{3})-(\d{7,18})\.safetensors)");
  std::smatch parts;
  if (!std::regex_match(file_name, parts, pattern)) return {};
  return AverageProfile{std::stod(parts[1]), std::stoll(parts[2])};
}

}  // namespace

std::string length_text(double length) {
  return fmt::format("{:.3f}", length);
}

void check_lengths(const std::string& where,
                   const std::vector<double>& lengths) {
  std::set<std::string> seen;
  for (const double length : lengths) {
    check_range(where, "ema_lengths", length, kShortestAverage,
                kLongestAverage);
    const auto text = length_text(length);
    if (std::abs(length - std::stod(text)) > 1e-9 || !seen.insert(text).second)
      throw ConfigError(fmt::format(
          "{}: ema_lengths must be whole thousandths, each once, got {}", where,
          length));
  }
}

void write_ema_snapshot(const fs::path& folder, const AverageProfile& profile,
                        const std::map<std::string, at::Tensor>& weights) {
  make_folder(folder);
  TensorFile file{
      .tensors = {},
      .metadata = {{"format", "pt"}, {kProfileKey, name_of(profile)}}};
  for (const auto& [name, tensor] : weights)
    file.tensors[name] = tensor.to(at::kFloat);
  write_safetensors(folder / (name_of(profile) + ".safetensors"), file);
}

std::vector<EmaSnapshot> list_ema_snapshots(const fs::path& folder) {
  std::vector<EmaSnapshot> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (const auto profile = profile_of(entry.path().filename().string()))
      found.push_back({*profile, entry.path()});
  std::sort(found.begin(), found.end(),
            [](const EmaSnapshot& a, const EmaSnapshot& b) {
              return std::pair(a.profile.length, a.profile.step) <
                     std::pair(b.profile.length, b.profile.step);
            });
  return found;
}

std::map<std::string, at::Tensor> read_ema_snapshot(
    const EmaSnapshot& snapshot) {
  auto file = read_safetensors(snapshot.path);
  const auto said = file.metadata[kProfileKey];
  if (said != name_of(snapshot.profile))
    throw DataError(fmt::format("{}: expected the average {}, got \"{}\"",
                                snapshot.path.string(),
                                name_of(snapshot.profile), said));
  return std::move(file.tensors);
}

void forget_ema_snapshots_after(const fs::path& folder, int64_t step) {
  for (const auto& snapshot : list_ema_snapshots(folder))
    if (snapshot.profile.step > step) fs::remove(snapshot.path);
  if (!fs::is_directory(folder)) return;
  std::vector<fs::path> torn;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".tmp") torn.push_back(entry.path());
  for (const auto& path : torn) fs::remove(path);
}

}  // namespace calotype
