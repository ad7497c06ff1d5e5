#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "core/config.h"
#include "models/codec_cost.h"
#include "tools/generate_output.h"

namespace calotype {

/// Latents of some rows, or tokens, as GenerateOutput::add() takes them.
using DrawRows =
    std::function<at::Tensor(const DrawnRows& rows, GenerateOutput& output)>;

/// Draws what the job of `setup` asks, of `classes` in turn: all of it, or the
/// part of this process. `cost`: of one row, where it is only to be told.
/// Returns what `generate` prints.
Json draw_all(OutputSetup setup, const std::vector<int64_t>& classes,
              const std::function<RowCost()>& cost, const DrawRows& draw);

}  // namespace calotype
