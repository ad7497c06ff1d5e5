#include "tests/support/fixtures.h"

#include <ATen/Functions.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "core/config.h"

namespace calotype {

namespace fs = std::filesystem;

fs::path fixtures_folder() {
  if (const char* named = std::getenv("CALOTYPE_FIXTURES")) return named;
  return fs::path(__FILE__).parent_path().parent_path() / "fixtures";
}

std::vector<fs::path> fixture_models(const std::string& class_name) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(fixtures_folder())) {
    const auto config = entry.path() / "config.json";
    if (fs::exists(config) &&
        read_json_file(config).value("_class_name", "") == class_name)
      found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool close_to_fixture(const at::Tensor& got, const at::Tensor& want) {
  if (got.sizes() != want.sizes()) {
    fmt::print("shape differs: {} values, expected {}\n", got.numel(),
               want.numel());
    return false;
  }
  const auto excess = (got - want).abs() - (1e-5 + 1e-4 * want.abs());
  const double worst = excess.max().item<double>();
  if (worst > 0 || worst != worst)
    fmt::print("largest error {} above the tolerance\n", worst);
  return worst <= 0;
}

}  // namespace calotype
