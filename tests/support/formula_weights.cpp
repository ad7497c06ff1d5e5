#include "tests/support/formula_weights.h"

#include <torch/types.h>

#include <cmath>

#include "core/config.h"
#include "core/crc32.h"
#include "tests/support/fixtures.h"

namespace calotype {
namespace {

uint32_t sum_of_name(const std::string& name) {
  return crc32({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
}

/// What a number u in [-1,1] of the formula becomes.
enum class Role { kWeight, kBias, kPositive, kNormGain, kNormMean, kNormVar };

Role role_of(const std::string& name) {
  if (name.ends_with("running_mean")) return Role::kNormMean;
  if (name.ends_with("running_var")) return Role::kNormVar;
  if (name.ends_with("bn.weight")) return Role::kNormGain;
  if (name.ends_with("bias")) return Role::kBias;
  return name.starts_with("lins") ? Role::kPositive : Role::kWeight;
}

double value_of(Role role, double u, double gain) {
  switch (role) {
    case Role::kWeight:
      return u * gain;
    case Role::kBias:
      return 0.05 * u;
    case Role::kPositive:
      return std::abs(u);
    case Role::kNormGain:
      return 1 + 0.2 * u;
    case Role::kNormMean:
      return 0.1 * u;
    case Role::kNormVar:
      return 1 + 0.2 * std::abs(u);
  }
  return 0;
}

at::Tensor formula(const std::string& name, const std::vector<int64_t>& shape,
                   double gain) {
  auto tensor = torch::empty(shape);
  double fan = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan *= double(shape[i]);
  gain *= std::sqrt(6 / fan);
  const auto role = role_of(name);
  const uint64_t offset = uint64_t(sum_of_name(name)) * 40503u + 12345u;
  auto* data = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    const auto hash = uint32_t(uint64_t(i) * 2654435761u + offset);
    data[i] = float(value_of(role, 2.0 * hash / 4294967296.0 - 1, gain));
  }
  return tensor;
}

}  // namespace

TensorFile formula_weights(const std::string& network) {
  const auto folder = fixtures_folder() / "metrics";
  const auto shapes = read_json_file(folder / "parameters.json").at(network);
  const double gain = network == "inception"
                          ? read_json_file(folder / "metrics.json")
                                .at("inception_weight_gain")
                                .get<double>()
                          : 1;
  TensorFile file;
  for (const auto& [name, shape] : shapes.items())
    // The constants of the lpips package are not by the formula.
    if (!name.starts_with("scaling_layer"))
      file.tensors[name] =
          formula(name, shape.get<std::vector<int64_t>>(), gain);
  return file;
}

}  // namespace calotype
