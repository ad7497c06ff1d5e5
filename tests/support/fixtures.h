#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace calotype {

/// The folder of fixtures: $CALOTYPE_FIXTURES, or tests/fixtures of the source.
std::filesystem::path fixtures_folder();

/// Its sub-folders whose config.json names the class `class_name`, sorted.
std::vector<std::filesystem::path> fixture_models(
    const std::string& class_name);

/// True if `got` is within 1e-4 relative or 1e-5 absolute of `want` everywhere,
/// the tolerance that the fixtures state; otherwise prints where it is worst.
bool close_to_fixture(const at::Tensor& got, const at::Tensor& want);

}  // namespace calotype
