#pragma once

#include <functional>

#include "core/config.h"
#include "models/codec_cost.h"
#include "tools/generate_output.h"

// What drawing costs, ahead of it.
namespace calotype {

/// What a sample costs, by `draw_one` with `num_steps` of its `of` steps.
RowCost drawing_cost(int64_t num_steps, int64_t of,
                     const std::function<void()>& draw_one);

/// Of a dry run: what would be drawn, and what that and decoding cost.
Json expected_drawing(const OutputSetup& setup, RowCost drawing);

/// Throws ConfigError for pictures that do not fit into memory, one by one.
void expect_pictures_fit(const OutputSetup& setup);

}  // namespace calotype
