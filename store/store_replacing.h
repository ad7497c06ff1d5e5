#pragma once

#include <filesystem>

// A store that takes the place of another in one step.
namespace calotype {

/// Where the store is made that will take the place of `store`: beside it on
/// the same file system, hidden, the same in each call.
std::filesystem::path successor_of(const std::filesystem::path& store);

/// Puts the whole store at successor_of(store) in the place of `store`; files
/// of others that lay in the old one move over, and the old one is gone. After
/// a kill `store` is the old one or the new, but for file systems that cannot
/// exchange two names, where it may be missing until finish_replacing(). Who
/// has the old one open goes on reading it. Throws ConfigError if the folder
/// cannot be written to.
void replace_store(const std::filesystem::path& store);

/// Ends what a kill broke off in replace_store(). Nothing that it broke off is
/// lost: the old rows are in the new store.
void finish_replacing(const std::filesystem::path& store);

/// Forgets a successor that is wanted no more, or what a kill left of the old
/// store there.
void discard_successor(const std::filesystem::path& store);

}  // namespace calotype
