#pragma once

#include <filesystem>
#include <string>
#include <vector>

// What lies in a folder that is written to, and what may be written over.
namespace calotype {

/// Paths below a folder of all files but hidden ones, sorted; none if there is
/// no such folder.
std::vector<std::string> visible_files(const std::filesystem::path& folder);

/// "3 files, such as a.png".
std::string some_of(const std::vector<std::string>& files);

/// Removes files below a folder, and the folders that are empty then.
void remove_files(const std::filesystem::path& folder,
                  const std::vector<std::string>& files);

/// One sync for all that waits to be written, instead of one for each picture.
void sync_all(const std::filesystem::path& folder);

/// Throws ConfigError for files of which nothing proves that they are ours.
void refuse_strangers(const std::filesystem::path& folder,
                      const std::vector<std::string>& files);

/// Throws ConfigError for a folder that is not empty, unless it holds a file
/// that is called `unless`.
void expect_empty(const std::filesystem::path& folder,
                  const std::string& unless);

/// Throws ConfigError if `file` is there and is not an overview, a strip or the
/// like of ours, which a new one may replace: images of sets stay.
void expect_own_picture(const std::filesystem::path& file);

/// The same of text, which is ours if `mark` stands among its first bytes; of a
/// table, at its begin.
void expect_own_text(const std::filesystem::path& file,
                     const std::string& mark);

}  // namespace calotype
