#include "core/failure.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <new>
#include <string_view>

#include "core/config.h"
#include "core/error.h"
#include "core/printable.h"

namespace calotype {
namespace {

constexpr std::string_view kCpuAllocator = "DefaultCPUAllocator: ";

std::string first_line(std::string_view text) {
  const auto begin = text.find_first_not_of(" \n");
  if (begin == std::string_view::npos) return "unknown error";
  text.remove_prefix(begin);
  return std::string(text.substr(0, text.find('\n')));
}

std::string out_of_memory(const std::string& details) {
  return fmt::format(
      "out of memory{}; a smaller batch or smaller images need less",
      details.empty() ? "" : " (" + details + ")");
}

/// LibTorch's own text ends with the frames of its stack.
std::string libtorch_text(const c10::Error& error) {
  auto text = first_line(error.what_without_backtrace());
  // "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't"
  if (const auto at = text.find(kCpuAllocator); at != std::string::npos)
    text.erase(0, at + kCpuAllocator.size());
  return is_out_of_memory(error) ? out_of_memory(text) : text;
}

/// "[json.exception.type_error.302] type must be number, but is string".
std::string json_error_text(const Json::exception& error) {
  const std::string_view text = error.what();
  const auto end = text.find("] ");
  return fmt::format("a JSON file has not the form that is expected: {}",
                     text.substr(end == std::string::npos ? 0 : end + 2));
}

Failure raw_failure() {
  try {
    throw;
  } catch (const Interrupted& stop) {
    return {
        "stopped; trainings, encodes and demos are saved, and go on from "
        "there if the same command is given again",
        kSignal + stop.signal};
  } catch (const ConfigError& error) {
    return {error.what(), kCannot};
  } catch (const DataError& error) {
    return {error.what(), kBadFile};
  } catch (const Json::exception& error) {
    return {json_error_text(error), kBadFile};
  } catch (const std::filesystem::filesystem_error& error) {
    return {
        fmt::format("{}: {}", error.path1().string(), error.code().message()),
        kCannot};
  } catch (const c10::Error& error) {
    return {libtorch_text(error), kOther};
  } catch (const std::bad_alloc&) {
    return {out_of_memory(""), kOther};
  } catch (const std::exception& error) {
    return {first_line(error.what()), kOther};
  } catch (...) {
    return {"unknown error", kOther};
  }
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  while (true) {
    const auto end = std::min(text.find('\\'), text.size());
    line += printable(text.substr(0, end));
    if (end == text.size()) return line;
    line += '\\';
    text.remove_prefix(end + 1);
  }
}

Failure current_failure() {
  auto failure = raw_failure();
  failure.text = one_line(failure.text);
  return failure;
}

}  // namespace calotype
