#pragma once

#include <string>

namespace calotype {

/// What the `Error` says that `action` throws; "nothing thrown" if it does not.
template <class Error, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace calotype
