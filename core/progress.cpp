#include "core/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "core/runtime.h"

namespace calotype {
namespace {

constexpr double kTerminalPeriod_s = 0.2;
constexpr double kPlainPeriod_s = 10;
constexpr int kBarWidth = 24;

bool quiet_all = false;

std::string bar(double share) {
  const int full = int(std::lround(share * kBarWidth));
  std::string text;
  for (int i = 0; i < kBarWidth; ++i) text += i < full ? "━" : "─";
  return text;
}

std::string rate_text(double rate) {
  return rate >= 100 ? fmt::format("{:.0f}", rate)
                     : fmt::format("{:.3g}", rate);
}

}  // namespace

void set_quiet(bool quiet) {
  quiet_all = quiet;
}

bool is_quiet() {
  return quiet_all;
}

std::string duration_text(double seconds) {
  const auto s = int64_t(std::llround(std::max(seconds, 0.0)));
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
  if (s >= 60) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

std::string bytes_text(double size_bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; size_bytes >= 1024 && unit < 4; ++unit) size_bytes /= 1024;
  const int digits = unit == 0 || size_bytes >= 100 ? 0 : 1;
  return fmt::format("{:.{}f} {}", size_bytes, digits, units[unit]);
}

Progress::Progress(std::string label, int64_t total, std::string unit,
                   int64_t start)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      start_(start),
      done_(start),
      start_s_(monotonic_s()),
      drawn_s_(start_s_),
      on_terminal_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  finish();
}

void Progress::update(int64_t done, const std::string& detail) {
  done_ = done;
  detail_ = detail;
  const double now = monotonic_s();
  if (now - drawn_s_ >= (on_terminal_ ? kTerminalPeriod_s : kPlainPeriod_s))
    draw(now);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (quiet_all || done_ == start_) return;
  draw(monotonic_s());
  if (on_terminal_) std::fputc('\n', stderr);
}

double Progress::rate() const {
  return double(done_ - start_) / std::max(monotonic_s() - start_s_, 1e-9);
}

void Progress::draw(double now) {
  drawn_s_ = now;
  if (quiet_all) return;
  const double share = total_ > 0 ? double(done_) / double(total_) : 0;
  const double speed = rate();
  std::string line = fmt::format("{:<12} ", label_);
  if (on_terminal_) line += bar(share) + " ";
  line += fmt::format("{}/{} {}  {}/s", done_, total_, unit_, rate_text(speed));
  line += finished_ ? "  took " + duration_text(now - start_s_)
                    : "  left " + duration_text(double(total_ - done_) /
                                                std::max(speed, 1e-9));
  if (!detail_.empty()) line += "  " + detail_;
  std::fprintf(stderr, on_terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  std::fflush(stderr);
}

}  // namespace calotype
