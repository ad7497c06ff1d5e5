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
    {"libheif/", "images/heif.cpp"},
    {"tiffio", "images/tiff.cpp"},
    {"gif_lib", "images/gif.cpp"},
    {"archive.h", "datasets/decompress.cpp"},
    {"archive_entry", "datasets/decompress.cpp"},
    {"zlib", "images/"},
    {"openssl/", "core/hash.cpp"},
    {"xxhash", "core/hash.cpp"},
    {"torch/csrc/distributed/", "distributed/"},
    {"microhttpd", "explorer/local_server.cpp"},
    {"yaml-cpp/", "models/convert/yaml.cpp"},
    {"CLI/", "tools/"},
    {"gtest/", "tests/"},
    {"gmock/", "tests/"},
    {"benchmark/", "bench/"},
};

// A pickle or a TorchScript archive is a program; no file of a user's may be
// one.
constexpr const char* kForbidden[] = {"torch::load(", "torch::save(",
                                      "torch::jit::"};

// What a name needs: one of `headers`, of which "fmt/" stands for all there.
struct NamedHeader {
  std::regex name;
  std::vector<const char*> headers;
};
const std::vector<NamedHeader>& named_headers() {
  static const std::vector<NamedHeader> all = {
      {std::regex(R"(std::array\b)"), {"array"}},
      {std::regex(R"(std::atomic\b)"), {"atomic"}},
      {std::regex(R"(std::(same_as|derived_from|integral|invocable)\b)"),
       {"concepts"}},
      {std::regex(R"(\bu?int(8|16|32|64)_t\b)"), {"cstdint"}},
      {std::regex(R"(std::deque\b)"), {"deque"}},
      {std::regex(R"(std::filesystem\b)"), {"filesystem"}},
      {std::regex(R"(std::function\b)"), {"functional"}},
      {std::regex(R"(std::initializer_list\b)"), {"initializer_list"}},
      {std::regex(R"(std::numeric_limits\b)"), {"limits"}},
      {std::regex(R"(std::map\b)"), {"map"}},
      {std::regex(
           R"(std::(shared_ptr|unique_ptr|weak_ptr|make_shared|make_unique)\b)"),
       {"memory"}},
      {std::regex(R"(std::mutex\b)"), {"mutex"}},
      {std::regex(R"(std::(optional|nullopt)\b)"), {"optional"}},
      {std::regex(R"(std::set\b)"), {"set"}},
      {std::regex(R"(std::span\b)"), {"span"}},
      {std::regex(R"(std::string\b)"), {"string"}},
      {std::regex(R"(std::string_view\b)"), {"string_view"}},
      {std::regex(R"(std::thread\b)"), {"thread"}},
      {std::regex(R"(std::unordered_map\b)"), {"unordered_map"}},
      {std::regex(R"(std::(pair|move|exchange)\b)"), {"utility"}},
      {std::regex(R"(std::vector\b)"), {"vector"}},
      {std::regex(R"(\bfmt::)"), {"fmt/"}},
      {std::regex(R"(\b(at|torch|c10)::)"), {"ATen/", "torch/", "c10/"}},
      {std::regex(R"(\bnlohmann::)"), {"nlohmann/"}},
  };
  return all;
}

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

/// The code of a file, without what comments and texts say.
std::string code_of(const std::string& text) {
  std::string code;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "//") == 0) {
      at = std::min(text.find('\n', at), text.size() - 1);
    } else if (text.compare(at, 2, "R\"") == 0) {
      const auto open = text.find('(', at);
      if (open == text.npos) return code;
      const auto close =
          fmt::format("){}\"", text.substr(at + 2, open - at - 2));
      at = std::min(text.find(close, open), text.size()) + close.size() - 1;
      code += "\"\"";
      continue;
    } else if (text.compare(at, 3, "'\"'") == 0) {
      at += 2;
      continue;
    } else if (text[at] == '"') {
      while (++at < text.size() && text[at] != '"') at += text[at] == '\\';
      code += "\"\"";
      continue;
    }
    code += text[at];
  }
  return code;
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
    if (word == "SOURCES" || word == "USES" || word == "LINKS" ||
        word == "PRIVATE_HEADERS")
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
      {"distributed", {"core"}},
      {"models",
       {"core", "images", "store", "nn", "datasets", "metrics", "vae", "vqvae",
        "diffusion", "denoisers"}},
      {"outputs", {"core", "images", "datasets", "models"}},
      {"evaluation",
       {"core", "images", "store", "nn", "datasets", "report", "metrics", "vae",
        "vqvae", "models", "outputs"}},
      {"explorer",
       {"core", "images", "store", "nn", "datasets", "report", "metrics", "vae",
        "vqvae", "diffusion", "models"}},
      {"tools",
       {"core", "images", "store", "nn", "datasets", "report", "metrics", "vae",
        "vqvae", "diffusion", "denoisers", "training", "distributed",
        "models", "outputs", "evaluation", "explorer"}},
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

Lines missing_includes(const fs::path& root) {
  Lines wrong;
  const auto files = read_sources(root);
  std::map<std::string, const SourceFile*> ours;
  for (const auto& file : files) ours[file.path] = &file;
  const auto add_all = [&](auto&& self, const SourceFile& file,
                           std::set<std::string>& all) -> void {
    for (const auto& include : file.includes) {
      const auto header = ours.find(include);
      if (all.insert(include).second && header != ours.end())
        self(self, *header->second, all);
    }
  };
  for (const auto& file : files) {
    if (is_free(file) || file.folder == "cmake") continue;
    std::set<std::string> all;
    add_all(add_all, file, all);
    const auto code = code_of(file.text);
    for (const auto& named : named_headers()) {
      const auto is_there = [&](const char* header) {
        const auto at = all.lower_bound(header);
        if (at == all.end()) return false;
        return std::string(header).ends_with('/') ? at->starts_with(header)
                                                  : *at == header;
      };
      std::smatch found;
      if (!std::ranges::any_of(named.headers, is_there) &&
          std::regex_search(code, found, named.name))
        wrong.push_back(fmt::format("{}: says {} and does not include {}",
                                    file.path, found.str(), named.headers[0]));
    }
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
