#include "tests/house/source_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <regex>
#include <sstream>

#include "core/files.h"

namespace calotype {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

namespace {

// What may include a third party's header: files whose path begins with `user`.
struct ThirdParty {
  const char* header;  // the include begins with this
  const char* user;
};
constexpr ThirdParty kThirdParties[] = {
    // The loops of others do not take the caller's modes along.
    {"ATen/Parallel", "core/"},
    {"omp.h", "core/"},
    {"opencv2/", "images/transforms.cpp"},
    {"hdf5", "store/hdf5"},
    {"H5", "store/hdf5"},
    {"stb_", "images/stb.cpp"},
    {"jpeglib", "images/jpeg_library.h"},
    {"jerror", "images/jpeg.cpp"},
    {"lcms2", "images/color_profile.cpp"},
    {"webp/", "images/webp"},
    {"jxl/", "images/jxl.cpp"},
    {"avif/", "images/avif.cpp"},
    {"zlib", "images/"},
    {"openssl/", "core/hash.cpp"},
    {"xxhash", "core/hash.cpp"},
    {"CLI/", "tools/"},
    {"gtest/", "tests/"},
    {"gmock/", "tests/"},
    {"benchmark/", "bench/"},
};

// A pickle or a TorchScript archive is a program; no file of a user's may be
// one.
constexpr const char* kForbidden[] = {"torch::load(", "torch::save(",
                                      "torch::jit::"};

// Tests and benchmarks may use all that they link.
bool is_free(const SourceFile& file) {
  return file.folder == "tests" || file.folder == "bench";
}

std::string first_part(const std::string& path) {
  return path.substr(0, path.find('/'));
}

Lines includes_of(const std::string& text) {
  static const std::regex pattern(
      R"(^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">])", std::regex::multiline);
  Lines includes;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end;
       at != end; ++at)
    includes.push_back((*at)[1]);
  return includes;
}

bool is_source(const fs::path& path) {
  return path.extension() == ".h" || path.extension() == ".cpp";
}

// What the folder's CMakeLists.txt passes to calotype_module after USES, as far
// as it is ours; nothing, with `found` false, if there is no such call.
std::set<std::string> uses_of(const fs::path& folder, bool& found) {
  std::set<std::string> uses;
  const auto path = folder / "CMakeLists.txt";
  std::smatch call;
  const auto text = fs::exists(path) ? read_text_file(path) : "";
  const std::regex pattern("calotype_module\\(" + folder.filename().string() +
                           "\\b([^)]*)\\)");
  found = std::regex_search(text, call, pattern);
  if (!found) return uses;
  std::istringstream words(call[1]);
  bool in_uses = false;
  for (std::string word; words >> word;) {
    if (word == "SOURCES" || word == "USES" || word == "LINKS")
      in_uses = word == "USES";
    else if (in_uses && word.rfind("calotype::", 0) == 0)
      uses.insert(word.substr(10));
  }
  return uses;
}

}  // namespace

const std::map<std::string, std::set<std::string>>& allowed_folders() {
  static const std::map<std::string, std::set<std::string>> allowed = {
      {"core", {}},
      {"images", {"core"}},
      {"store", {"core"}},
      {"nn", {"core"}},
      {"datasets", {"core", "images"}},
      {"report", {"core", "images", "datasets"}},
      {"metrics", {"core", "nn"}},
      {"vae", {"core", "nn"}},
      {"vqvae", {"core", "nn"}},
      {"diffusion", {"core", "nn"}},
      {"denoisers", {"core", "nn", "diffusion"}},
      {"training", {"core", "images", "store", "nn", "datasets", "report"}},
      {"models",
       {"core", "images", "store", "nn", "datasets", "metrics", "vae",
        "vqvae"}},
      {"outputs", {"core", "images", "datasets", "models"}},
      {"evaluation",
       {"core", "images", "store", "nn", "datasets", "report", "metrics", "vae",
        "vqvae", "models", "outputs"}},
      {"tools",
       {"core", "images", "store", "nn", "datasets", "report", "metrics", "vae",
        "vqvae", "diffusion", "denoisers", "training", "models", "outputs",
        "evaluation"}},
  };
  return allowed;
}

std::vector<SourceFile> read_sources(const fs::path& root) {
  std::vector<SourceFile> files;
  for (fs::recursive_directory_iterator at(root), end; at != end; ++at) {
    const auto name = at->path().filename().string();
    if (at->is_directory() && (name[0] == '.' || name.rfind("build", 0) == 0))
      at.disable_recursion_pending();
    if (!at->is_regular_file() || !is_source(at->path())) continue;
    const auto path = at->path().lexically_relative(root).generic_string();
    auto text = read_text_file(at->path());
    auto includes = includes_of(text);
    files.push_back(
        {path, first_part(path), std::move(text), std::move(includes)});
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

Lines wrong_folders(const fs::path& root) {
  const auto& arrows = allowed_folders();
  Lines wrong;
  for (const auto& file : read_sources(root)) {
    if (is_free(file) || file.folder == "cmake") continue;
    const auto allowed = arrows.find(file.folder);
    if (allowed == arrows.end()) {
      wrong.push_back(
          fmt::format("{}: no arrows are drawn for this folder", file.path));
      continue;
    }
    for (const auto& include : file.includes) {
      const auto target = first_part(include);
      const bool ours =
          arrows.count(target) || target == "tests" || target == "bench";
      if (ours && target != file.folder && !allowed->second.count(target))
        wrong.push_back(
            fmt::format("{}: must not include {}", file.path, include));
    }
  }
  return wrong;
}

Lines wrong_links(const fs::path& root) {
  Lines wrong;
  const auto& arrows = allowed_folders();
  std::map<std::string, std::set<std::string>> reached;
  for (const auto& [folder, allowed] : arrows) {
    if (!fs::exists(root / folder / "CMakeLists.txt")) continue;
    bool found = false;
    const auto uses = uses_of(root / folder, found);
    if (!found)
      wrong.push_back(fmt::format("{}: CMakeLists.txt has no module", folder));
    reached[folder] = uses;
    for (const auto& use : uses)
      if (!allowed.count(use))
        wrong.push_back(
            fmt::format("{}: must not use calotype::{}", folder, use));
  }
  // Links are passed on; the longest chain is shorter than the number of
  // folders.
  for (size_t round = 0; round < arrows.size(); ++round)
    for (auto& [folder, uses] : reached)
      for (const auto& use : std::set<std::string>(uses))
        uses.insert(reached[use].begin(), reached[use].end());
  for (const auto& file : read_sources(root))
    for (const auto& include : file.includes) {
      const auto target = first_part(include);
      if (reached.count(file.folder) && arrows.count(target) &&
          target != file.folder && !reached[file.folder].count(target))
        wrong.push_back(fmt::format("{}: {} is not in USES of {}", file.path,
                                    target, file.folder));
    }
  return wrong;
}

Lines wrong_third_parties(const fs::path& root) {
  Lines wrong;
  for (const auto& file : read_sources(root)) {
    if (is_free(file)) continue;
    for (const auto& include : file.includes)
      for (const auto& party : kThirdParties)
        if (include.rfind(party.header, 0) == 0 &&
            file.path.rfind(party.user, 0) != 0)
          wrong.push_back(fmt::format("{}: only {} may include {}", file.path,
                                      party.user, include));
    for (const auto* call : kForbidden)
      if (file.text.find(call) != std::string::npos)
        wrong.push_back(fmt::format("{}: must not call {}", file.path, call));
  }
  return wrong;
}

Lines forgotten_sources(const fs::path& root) {
  Lines wrong;
  std::map<fs::path, std::string> lists;
  for (const auto& file : read_sources(root)) {
    const fs::path path = file.path;
    if (path.extension() != ".cpp") continue;
    const auto folder = root / path.parent_path();
    if (!lists.count(folder) && fs::exists(folder / "CMakeLists.txt"))
      lists[folder] = read_text_file(folder / "CMakeLists.txt");
    const std::regex name("(^|[\\s(])" + path.stem().string() + "\\.cpp\\b");
    if (!std::regex_search(lists[folder], name))
      wrong.push_back(fmt::format("{}: no CMakeLists.txt names it", file.path));
  }
  return wrong;
}

}  // namespace calotype
