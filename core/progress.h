#pragma once

#include <cstdint>
#include <string>

namespace calotype {

/// Tells a person on stderr how far a long job is: a bar on a terminal, a plain
/// line every ten seconds elsewhere, with rate and time left.
class Progress {
 public:
  /// `start`: what an earlier run has already done; it does not count for the
  /// rate.
  Progress(std::string label, int64_t total, std::string unit,
           int64_t start = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `detail`: a few words at the end of the line, such as the loss.
  void update(int64_t done, const std::string& detail = "");

  /// Prints the last state and ends the line.
  void finish();

  /// Units per second since the start.
  double rate() const;

 private:
  void draw(double now);

  std::string label_, unit_, detail_;
  int64_t total_, start_, done_;
  double start_s_, drawn_s_;
  bool on_terminal_, finished_ = false;
};

/// Switches all progress off (--quiet).
void set_quiet(bool quiet);

/// Whether notes that are no warnings should be left out as well.
bool is_quiet();

/// "1h02m", "4m05s", "12s".
std::string duration_text(double seconds);

/// "1.5 GiB", "312 KiB".
std::string bytes_text(double size_bytes);

}  // namespace calotype
