#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/config.h"
#include "datasets/loader.h"

namespace calotype {

/// Puts the list of skipped images into `result` ("skipped": name and reason),
/// which makes the program's exit code 3, and a line for each on stderr. What
/// there is to say of the others follows, and changes no exit code: "warnings"
/// (name and reason), of which stderr gets the first ones, and "color_profiles"
/// (how many images, by the profile's name), of which it gets the sum.
void report_skipped(Json& result, const std::vector<SkippedImage>& skipped,
                    const PassNotes& notes);

/// For LoaderConfig::on_note: tells of each image, and of each colour profile,
/// once, however often a training comes back to them. It may be called from
/// several threads at once.
std::function<void(const std::string& name, const ImageNotes& notes)>
tell_notes_once();

}  // namespace calotype
