#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/config.h"
#include "evaluation/evaluate.h"
#include "outputs/output_folder.h"
#include "report/html_report.h"

// What the pages of evaluations have in common.
namespace calotype {

/// What the numbers of a job depend on, as it was asked for.
Json evaluation_settings(const EvaluateJob& job);

/// The folder of a job's report, which may hold the report of the same job;
/// files that are called otherwise than a report's stay. Throws ConfigError,
/// with nothing touched, for another one, and for a place where the job reads.
OutputFolder report_folder(const EvaluateJob& job);

/// A number as a page shows it: so many significant digits, no exponent where
/// it can be avoided; "–" for null.
std::string shown_number(const Json& value, int digits = 4);

/// "a to b" of a result's interval; empty if it has none.
std::string shown_interval(const Json& result, const std::string& key);

/// A row of a table of measures.
struct Measure {
  std::string key;   // in the result
  std::string name;  // with its unit
  std::string note;
};

/// Measure, value, 95 % interval, note; of those that the result has. Below
/// them what the result says of itself.
void add_measures(HtmlReport& report, const Json& result,
                  const std::vector<Measure>& measures);

/// The same as CSV, "measure,value,low,high": what the result has.
std::string measures_csv(const Json& result,
                         const std::vector<Measure>& measures);

/// How the distance of sets grows or falls with their number of images.
std::string frechet_course_svg(const Json& result);

/// Everything that a number depends on, as a table.
void add_protocol_section(HtmlReport& report, const Json& result);

}  // namespace calotype
