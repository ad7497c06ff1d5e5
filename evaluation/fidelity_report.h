#pragma once

#include <memory>

#include "evaluation/evaluate.h"
#include "evaluation/fidelity.h"
#include "evaluation/reconstructor.h"
#include "outputs/output_folder.h"
#include "report/html_report.h"

namespace calotype {

/// Fills the report's folder, `output`: result.json, images.csv, measures.csv,
/// the pictures, and index.html, which needs none of them. `result`: what
/// evaluate_pairs() found.
void write_fidelity_report(
    const EvaluateJob& job, OutputFolder& output, const Json& result,
    const Fidelity& fidelity,
    const std::vector<std::shared_ptr<const Lpips>>& networks,
    std::shared_ptr<const ImageSource> source, Reconstructor& reconstructor);

/// The sections of such a folder's page, for a page that has others too.
void add_fidelity_sections(HtmlReport& report,
                           const std::filesystem::path& folder);

}  // namespace calotype
