#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "images/image.h"

// What requests of the page are read with, and what answers are made of.
namespace calotype {

/// "data:image/png;base64,...".
std::string data_url(const Image& image);

/// Floats, little-endian, as base64.
std::string packed(const at::Tensor& numbers);

/// [N] of any type, as a list.
std::vector<double> numbers_of(const at::Tensor& numbers);

/// The same of whole numbers.
std::vector<int64_t> whole_numbers_of(const at::Tensor& numbers);

/// Pictures [N,C,H,W] without gaps on one sheet of about as many rows as
/// columns: "picture", "columns", "count", "height" and "width" of each.
Json sheet_of(const at::Tensor& images);

/// A whole number of a request. Throws ConfigError unless it is in [low, high];
/// `otherwise`: where it is not said.
int64_t whole_number(const Json& request, const char* key, int64_t low,
                     int64_t high, std::optional<int64_t> otherwise = {});

/// The same of any number.
double real_number(const Json& request, const char* key, double low,
                   double high, double otherwise);

/// Throws ConfigError for what is no list.
const Json& list_of(const Json& request, const char* key);

/// A code [1,D,h,w] from a list of its numbers. Throws ConfigError for another
/// length and for what a float does not hold.
at::Tensor code_from(const Json& numbers, const std::vector<int64_t>& shape);

}  // namespace calotype
