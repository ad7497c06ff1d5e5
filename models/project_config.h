#pragma once

#include <filesystem>
#include <string>

namespace calotype {

/// The class that the project's own configuration beside a checkpoint names
/// first ("taming.models.vqgan.VQModel"): NAME.yaml, config.yaml or model.yaml
/// in its folder, or Lightning's ../configs/*-project.yaml. "" where there is
/// none.
std::string project_target(const std::filesystem::path& checkpoint);

}  // namespace calotype
