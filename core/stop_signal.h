#pragma once

namespace calotype {

/// From now on the first SIGINT, SIGTERM or SIGHUP only asks the program to
/// stop at its next safe point; a second one ends it at once. Signals that are
/// ignored, as nohup and the background jobs of scripts have them, stay so.
void install_stop_signals();

/// The signal that asked to stop, or 0.
int stop_requested();

/// Throws Interrupted if a signal asked to stop.
void throw_if_stopped();

}  // namespace calotype
