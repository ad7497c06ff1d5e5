#include "store/hdf5_handle.h"

#include <fmt/format.h>

#include "core/error.h"

namespace calotype {
namespace {

/// What HDF5 says about its latest failure, from where it happened.
std::string reason() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
        auto& first = *static_cast<std::string*>(out);
        if (first.empty() && error->desc) first = error->desc;
        return 0;
      },
      &text);
  return text.empty() ? "no reason given" : text;
}

/// A float of 2 bytes: a sign, then the exponent, then the mantissa.
hid_t half_type(size_t exponent_bits, size_t mantissa_bits, size_t bias) {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, bias);
  return type;
}

hid_t text_type(int64_t length) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, size_t(length));
  H5Tset_cset(type, H5T_CSET_UTF8);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

}  // namespace

std::mutex& Session::mutex() {
  static std::mutex instance;
  return instance;
}

Session::Session() : lock_(mutex()) {
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_to_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

Session::~Session() {
  H5Eset_auto2(H5E_DEFAULT, print_, print_to_);
}

void fail_hdf5(const std::string& where, const std::string& what) {
  throw DataError(fmt::format("{}: {}", where, what));
}

void check_hdf5(herr_t status, const std::string& where, const char* what) {
  if (status < 0) fail_hdf5(where, fmt::format("{}: {}", what, reason()));
}

Handle::Handle(hid_t id, Close close, const std::string& where,
               const char* what)
    : id_(id), close_(close) {
  if (id_ < 0) fail_hdf5(where, fmt::format("{}: {}", what, reason()));
}

Handle properties(hid_t of_class) {
  return {H5Pcreate(of_class), &H5Pclose, "HDF5", "cannot make properties"};
}

Handle file_type(Hdf5Type type, int64_t item_bytes) {
  const auto make = [&]() -> hid_t {
    switch (type) {
      case Hdf5Type::kFloat32:
        return H5Tcopy(H5T_IEEE_F32LE);
      case Hdf5Type::kFloat16:
        return half_type(5, 10, 15);
      case Hdf5Type::kBfloat16:
        return half_type(8, 7, 127);
      case Hdf5Type::kUint8:
        return H5Tcopy(H5T_STD_U8LE);
      case Hdf5Type::kUint16:
        return H5Tcopy(H5T_STD_U16LE);
      case Hdf5Type::kUint32:
        return H5Tcopy(H5T_STD_U32LE);
      case Hdf5Type::kInt32:
        return H5Tcopy(H5T_STD_I32LE);
      case Hdf5Type::kInt64:
        return H5Tcopy(H5T_STD_I64LE);
      case Hdf5Type::kUint64:
        return H5Tcopy(H5T_STD_U64LE);
      case Hdf5Type::kText:
        return text_type(item_bytes);
    }
    return -1;
  };
  return {make(), &H5Tclose, "HDF5", "cannot make a type"};
}

std::optional<Hdf5Type> known_type(hid_t type) {
  if (H5Tget_class(type) == H5T_STRING)
    return H5Tis_variable_str(type) == 0 ? std::optional(Hdf5Type::kText)
                                         : std::nullopt;
  for (const auto each :
       {Hdf5Type::kFloat32, Hdf5Type::kFloat16, Hdf5Type::kBfloat16,
        Hdf5Type::kUint8, Hdf5Type::kUint16, Hdf5Type::kUint32,
        Hdf5Type::kInt32, Hdf5Type::kInt64, Hdf5Type::kUint64})
    if (H5Tequal(type, file_type(each, 0)) > 0) return each;
  return std::nullopt;
}

}  // namespace calotype
