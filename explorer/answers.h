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

/// The same of their `num_bytes` high bytes alone, rounded to nearest: 3 leave
/// them right to 1 of 65,536, 2 to 1 of 256.
std::string packed_short(const at::Tensor& numbers, int num_bytes);

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

/// Of what is drawn; the seed is what JavaScript counts to.
inline constexpr int64_t kMaxSeed = int64_t{1} << 53;
inline constexpr int64_t kMaxSteps = 1000;
inline constexpr double kMaxGuidance = 100;

/// The number of the class that "class" names, -1 where it is null or not said.
/// Throws ConfigError for a name that is not among `names`.
int64_t class_of(const Json& request, const std::vector<std::string>& names);

/// Throws ConfigError for what is no list.
const Json& list_of(const Json& request, const char* key);

/// A code [1,D,h,w] from a list of its numbers. Throws ConfigError for another
/// length and for what a float does not hold.
at::Tensor code_from(const Json& numbers, const std::vector<int64_t>& shape);

}  // namespace calotype
