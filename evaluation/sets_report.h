#pragma once

#include <ATen/core/Tensor.h>

#include "datasets/image_source.h"
#include "evaluation/evaluate.h"
#include "evaluation/nearest_images.h"
#include "report/html_report.h"

namespace calotype {

/// Writes `job.report`: result.json, measures.csv, the pictures, and
/// index.html, which needs none of them. `result`: what evaluate_sets() found.
/// `shown`, `reference`: null where there are no images. `nearest`: to the
/// images at the places `queries`, or null.
void write_sets_report(const EvaluateJob& job, const Json& result,
                       const ImageSource* shown, const ImageSource* reference,
                       const at::Tensor& queries, const NearestImages* nearest);

/// The sections of such a folder's page, for a page that has others too.
void add_sets_sections(HtmlReport& report, const std::filesystem::path& folder);

}  // namespace calotype
