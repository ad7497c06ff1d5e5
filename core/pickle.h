#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/pickle_graph.h"

namespace calotype {

/// A pickle and how much of the bytes before it took.
struct Pickle {
  PickleGraph values;
  size_t size_bytes = 0;
};

/// Reads a pickle of the protocols 2 to 5 (Python's pickletools.py says what
/// each opcode means) without doing anything that it says: classes and
/// functions are names, and what they would make is kept as "made of this, by
/// that". The one exception is collections.OrderedDict, which is a dictionary.
/// Opcodes that no such protocol needs, and those that name code by number, are
/// refused.
///
/// Keeps `bytes`, not a copy. Takes time of the pickle's size, and memory of a
/// multiple of it but never above some 120 MiB: 1.5 million values are the
/// most. Throws DataError, in the name of `where`, for what is no whole pickle.
Pickle read_pickle(std::span<const uint8_t> bytes, const std::string& where);

}  // namespace calotype
