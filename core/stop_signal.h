#pragma once

namespace calotype {

/// From now on the first SIGINT, SIGTERM or SIGHUP only asks the program to
/// stop at its next safe point; a second one ends it at once. Signals that are
/// ignored, as nohup and the background jobs of scripts have them, stay so.
void install_stop_signals();

/// Lets SIGUSR1 ask a training to save its state now, and go on.
void install_save_signal();

/// Whether it did so since the last call.
bool take_save_request();

/// The signal that asked to stop, or 0. In an AgreedStops, one that asked any
/// process to.
int stop_requested();

/// While it lives, this thread stops where all processes of its work do
/// (core/process_group.h): each time that it asks, all of them ask each other.
class AgreedStops {
 public:
  AgreedStops();
  ~AgreedStops();
  AgreedStops(const AgreedStops&) = delete;
  AgreedStops& operator=(const AgreedStops&) = delete;
};

/// Throws Interrupted if a signal asked to stop.
void throw_if_stopped();

}  // namespace calotype
