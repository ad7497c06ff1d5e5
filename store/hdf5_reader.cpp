#include <fmt/format.h>

#include "store/hdf5.h"
#include "store/hdf5_handle.h"

namespace calotype {

Hdf5File::Hdf5File(const std::filesystem::path& path)
    : where_(path.string()), file_bytes_(std::filesystem::file_size(path)) {
  const Session session;
  const auto access = properties(H5P_FILE_ACCESS);
  // Files are written once, so there is nothing to lock against; and locks fail
  // on many network file systems.
  H5Pset_file_locking(access, false, true);
  file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  check_hdf5(file_ < 0 ? -1 : 0, where_, "not a readable HDF5 file");
}

Hdf5File::~Hdf5File() {
  const Session session;
  H5Fclose(file_);
}

Hdf5Place Hdf5File::find(const std::string& array) const {
  const Session session;
  const auto where = fmt::format("{}: /{}", where_, array);
  H5L_info_t link;
  check_hdf5(H5Lget_info(file_, array.c_str(), &link, H5P_DEFAULT), where,
             "not there");
  if (link.type != H5L_TYPE_HARD) fail_hdf5(where, "is a link to elsewhere");
  const Handle data(H5Dopen2(file_, array.c_str(), H5P_DEFAULT), &H5Dclose,
                    where, "cannot open");
  const Handle how(H5Dget_create_plist(data), &H5Pclose, where,
                   "no properties");
  if (H5Pget_layout(how) != H5D_CONTIGUOUS)
    fail_hdf5(where, "must be contiguous, is chunked, compact or virtual");
  if (H5Pget_external_count(how) != 0) fail_hdf5(where, "lies in another file");
  if (H5Pget_nfilters(how) != 0) fail_hdf5(where, "is filtered");

  Hdf5Place place;
  const Handle type(H5Dget_type(data), &H5Tclose, where, "no type");
  const auto known = known_type(type);
  if (!known) fail_hdf5(where, "has elements of a type that no store has");
  place.type = *known;
  place.item_bytes = int64_t(H5Tget_size(type));

  const Handle space(H5Dget_space(data), &H5Sclose, where, "no shape");
  const int rank = H5Sget_simple_extent_ndims(space);
  if (H5Sget_simple_extent_type(space) != H5S_SIMPLE || rank < 1)
    fail_hdf5(where, "is no array");
  std::vector<hsize_t> dims(size_t(rank), 0);
  check_hdf5(H5Sget_simple_extent_dims(space, dims.data(), nullptr), where,
             "no shape");
  uint64_t bytes = uint64_t(place.item_bytes);
  for (const auto size : dims) {
    if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > file_bytes_)
      fail_hdf5(where, "is larger than its file");
    place.shape.push_back(int64_t(size));
  }
  const auto offset = H5Dget_offset(data);
  if (offset == HADDR_UNDEF || H5Dget_storage_size(data) != bytes)
    fail_hdf5(where, "has no place in the file");
  if (offset > file_bytes_ || bytes > file_bytes_ - offset)
    fail_hdf5(where, "runs past the end of the file");
  place.offset = int64_t(offset);
  place.size_bytes = int64_t(bytes);
  return place;
}

int64_t Hdf5File::integer(const std::string& attribute) const {
  const Session session;
  const auto where = fmt::format("{}: attribute {}", where_, attribute);
  const Handle opened(H5Aopen(file_, attribute.c_str(), H5P_DEFAULT), &H5Aclose,
                      where, "not there");
  const Handle type(H5Aget_type(opened), &H5Tclose, where, "no type");
  const Handle space(H5Aget_space(opened), &H5Sclose, where, "no shape");
  if (known_type(type) != Hdf5Type::kInt64 ||
      H5Sget_simple_extent_npoints(space) != 1)
    fail_hdf5(where, "must be one int64");
  int64_t value = 0;
  check_hdf5(H5Aread(opened, H5T_NATIVE_INT64, &value), where, "cannot read");
  return value;
}

std::string Hdf5File::text(const std::string& attribute) const {
  const Session session;
  const auto where = fmt::format("{}: attribute {}", where_, attribute);
  const Handle opened(H5Aopen(file_, attribute.c_str(), H5P_DEFAULT), &H5Aclose,
                      where, "not there");
  const Handle type(H5Aget_type(opened), &H5Tclose, where, "no type");
  const Handle space(H5Aget_space(opened), &H5Sclose, where, "no shape");
  const auto bytes = H5Tget_size(type);
  if (known_type(type) != Hdf5Type::kText ||
      H5Sget_simple_extent_npoints(space) != 1 || bytes > file_bytes_)
    fail_hdf5(where, "must be one text of fixed length");
  std::string value(bytes, '\0');
  check_hdf5(H5Aread(opened, type, value.data()), where, "cannot read");
  return value.substr(0, value.find('\0'));
}

}  // namespace calotype
