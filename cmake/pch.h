// The one precompiled header. LibTorch costs ten to twenty seconds a file
// without it; what stands here is what nearly every source file includes. Each
// file instantiates anew what its templates leave open, so torch/torch.h, of
// which we use a third, would cost twice as much.
#pragma once

#include <fmt/format.h>
#include <torch/autograd.h>
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>
