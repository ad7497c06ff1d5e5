#pragma once

#include <string>
#include <vector>

#include "store/latent_store.h"
#include "store/shard_list.h"

// Rows as they are stored: on the CPU, in the store's own number type.
namespace calotype {

/// What fills the grid of a row: the means or codes, or the tokens.
const at::Tensor& grid_values(const StoreRows& rows);

/// The same rows with the moments in `info.dtype`, rounded to nearest even, or
/// the tokens' bits. Throws ShapeError if the fields do not fit each other or
/// the kind of store; DataError that names the image if a moment is NaN or
/// infinite; ConfigError if one is too large for the type, or if a label is of
/// no class.
StoreRows to_stored(const StoreRows& rows, const StoreInfo& info);

/// Rows [begin, begin + count), sharing memory.
StoreRows slice_rows(const StoreRows& rows, int64_t begin, int64_t count);

/// The same rows in memory of their own.
StoreRows copy_rows(const StoreRows& rows);

/// `rows` in the order of `places`, each in [0, N).
StoreRows select_rows(const StoreRows& rows,
                      const std::vector<int64_t>& places);

/// At least one part; all of one grid shape.
StoreRows join_rows(const std::vector<StoreRows>& parts);

/// Sums over each row, and of those in their order, whatever the number of
/// threads. `grid`: [N,D,h,w] of any float type; its logvar may be undefined.
/// Zeros for the bits of tokens.
ChannelSums channel_sums(const LatentGrid& grid);

/// Of the images and, if defined, behind them those of their mirror images.
ChannelSums channel_sums(const LatentGrid& grid, const LatentGrid& flipped);

/// Whether both are sums over the same `num_values` numbers of each channel,
/// added up in whatever order: equal to a billionth of what they add up.
bool same_sums(const ChannelSums& a, const ChannelSums& b, double num_values);

}  // namespace calotype
