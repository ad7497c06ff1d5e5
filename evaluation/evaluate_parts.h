#pragma once

#include <functional>

#include "evaluation/evaluate.h"
#include "evaluation/measured_blocks.h"

// `evaluate` of several processes, none of which waits for another, and the
// file of its result.
namespace calotype {

/// Which call a result is of: what was asked, and `subject`, what it was asked
/// about, by its contents.
Json evaluation_call(const EvaluateJob& job, const Json& subject);

/// Throws ConfigError where `job.out` is something else than a result of
/// `evaluate`, or without `job.fresh` that of another call, and where it lies
/// where the job reads; for a job without parts also where parts of one are.
void expect_place_for_result(const EvaluateJob& job);

/// Writes `result` to `job.out`.
void write_result(const EvaluateJob& job, const Json& result);

/// Measures the blocks of a part (`job.part`), or puts all together
/// (`job.finishes`) by `evaluate`, which is given the job with what was
/// measured; the last part does that too. See evaluate().
Json evaluate_in_parts(const EvaluateJob& job, const BlockWork& work,
                       const std::function<Json(const EvaluateJob&)>& evaluate);

}  // namespace calotype
