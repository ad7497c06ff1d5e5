#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/loader.h"

namespace calotype {

/// `text` as one field: in quotes if it holds a comma, a quote or a line break
/// (RFC 4180, section 2).
std::string csv_field(const std::string& text);

/// "index,name,class" of an image; no class is an empty field.
std::string csv_row_head(int64_t index, const std::string& name, int64_t label,
                         const std::vector<std::string>& class_names);

/// The same of image `row` of a batch.
std::string csv_row_head(const ImageBatch& batch, int64_t row,
                         const std::vector<std::string>& class_names);

}  // namespace calotype
