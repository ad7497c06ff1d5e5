#pragma once

#include <stdexcept>

namespace calotype {

/// What is wrong with a pickle, before it is said where.
struct PickleFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What no honest pickle of tensors comes near: values, entries of the stack,
/// of the memo.
inline constexpr unsigned kMaxPickleValues = 1'500'000;

}  // namespace calotype
