// The one precompiled header. LibTorch costs ten to twenty seconds a file
// without it; what stands here is what nearly every source file includes.
#pragma once

#include <fmt/format.h>
#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
