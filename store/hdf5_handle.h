#pragma once

// One API for HDF5 1.10 to 2.x.
#define H5_USE_110_API
#include <hdf5.h>

#include <mutex>
#include <optional>
#include <string>

#include "store/hdf5.h"

// HDF5's C interface made safe to use; for hdf5_*.cpp alone.
namespace calotype {

/// Held around every use of HDF5. Not every build of it is thread-safe; it
/// prints errors unless told not to; and a file could ask it to load a plugin.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  static std::mutex& mutex();

  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_to_ = nullptr;
};

/// Throws DataError "where: what".
[[noreturn]] void fail_hdf5(const std::string& where, const std::string& what);

/// Throws DataError "where: what: why" if `status` says that a call failed.
void check_hdf5(herr_t status, const std::string& where, const char* what);

/// An HDF5 object that closes itself.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  /// `what` was tried; throws DataError if it failed.
  Handle(hid_t id, Close close, const std::string& where, const char* what);
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// A new property list of this class.
Handle properties(hid_t of_class);

/// The type that `type` has in files; `item_bytes` matters for text only.
Handle file_type(Hdf5Type type, int64_t item_bytes);

/// Which of our types it is, if it is one.
std::optional<Hdf5Type> known_type(hid_t type);

}  // namespace calotype
