#include <algorithm>
#include <bit>
#include <limits>

#include "store/hdf5.h"
#include "store/hdf5_handle.h"

namespace calotype {
namespace {

static_assert(std::endian::native == std::endian::little,
              "arrays are mapped as they lie on disk, little-endian");

constexpr int64_t kAlignment = 64;  // a cache line

void write_attribute(hid_t root, const Hdf5Attribute& attribute) {
  const auto* text = std::get_if<std::string>(&attribute.value);
  // HDF5 has no text of length 0.
  const auto bytes = text ? std::max<size_t>(text->size(), 1) : sizeof(int64_t);
  const auto type =
      file_type(text ? Hdf5Type::kText : Hdf5Type::kInt64, int64_t(bytes));
  const Handle scalar(H5Screate(H5S_SCALAR), &H5Sclose, "HDF5", "no space");
  const Handle made(H5Acreate2(root, attribute.name.c_str(), type, scalar,
                               H5P_DEFAULT, H5P_DEFAULT),
                    &H5Aclose, attribute.name, "cannot make the attribute");
  const void* data = text ? static_cast<const void*>(text->c_str())
                          : &std::get<int64_t>(attribute.value);
  check_hdf5(H5Awrite(made, type, data), attribute.name,
             "cannot write the attribute");
}

/// Returns where the array begins.
int64_t write_array(hid_t file, const Hdf5Array& array) {
  const std::vector<hsize_t> dims(array.shape.begin(), array.shape.end());
  const auto type = file_type(array.type, array.item_bytes);
  const Handle space(H5Screate_simple(int(dims.size()), dims.data(), nullptr),
                     &H5Sclose, array.name, "cannot describe the shape");
  const auto how = properties(H5P_DATASET_CREATE);
  check_hdf5(H5Pset_layout(how, H5D_CONTIGUOUS), array.name, "layout");
  check_hdf5(H5Pset_alloc_time(how, H5D_ALLOC_TIME_EARLY), array.name,
             "allocation");
  check_hdf5(H5Pset_fill_time(how, H5D_FILL_TIME_NEVER), array.name,
             "fill time");
  check_hdf5(H5Pset_obj_track_times(how, false), array.name, "times");
  check_hdf5(H5Pset_attr_creation_order(how, H5P_CRT_ORDER_TRACKED), array.name,
             "order");
  const Handle made(H5Dcreate2(file, array.name.c_str(), type, space,
                               H5P_DEFAULT, how, H5P_DEFAULT),
                    &H5Dclose, array.name, "cannot make the array");
  check_hdf5(H5Dwrite(made, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.data),
             array.name, "cannot write the array");
  return int64_t(H5Dget_offset(made));
}

}  // namespace

Hdf5Image make_hdf5(std::span<const Hdf5Attribute> attributes,
                    std::span<const Hdf5Array> arrays) {
  const Session session;
  int64_t data_bytes = 0;
  for (const auto& array : arrays) {
    int64_t bytes = array.item_bytes;
    for (const auto size : array.shape) bytes *= size;
    data_bytes += bytes;
  }
  // Room for every header in front of the first array: about 600 bytes each.
  int64_t header_bytes = 16384 + 1024 * int64_t(arrays.size());
  for (const auto& attribute : attributes)
    if (const auto* text = std::get_if<std::string>(&attribute.value))
      header_bytes += 2 * int64_t(text->size());

  const auto access = properties(H5P_FILE_ACCESS);
  check_hdf5(H5Pset_fapl_core(access, size_t(data_bytes + header_bytes), false),
             "HDF5", "no file in memory");
  check_hdf5(H5Pset_alignment(access, 1, kAlignment), "HDF5", "alignment");
  check_hdf5(H5Pset_meta_block_size(access, hsize_t(header_bytes)), "HDF5",
             "header");
  // Objects that track the order of their parts have headers with checksums,
  // which HDF5 compares, and attributes longer than 64 KiB; every HDF5
  // since 1.8 reads them.
  const auto create = properties(H5P_FILE_CREATE);
  check_hdf5(H5Pset_obj_track_times(create, false), "HDF5", "times");
  check_hdf5(H5Pset_attr_creation_order(create, H5P_CRT_ORDER_TRACKED), "HDF5",
             "order");
  check_hdf5(H5Pset_link_creation_order(create, H5P_CRT_ORDER_TRACKED), "HDF5",
             "order");

  const Handle file(H5Fcreate("in memory", H5F_ACC_TRUNC, create, access),
                    &H5Fclose, "HDF5", "cannot make a file in memory");
  {
    const Handle root(H5Gopen2(file, "/", H5P_DEFAULT), &H5Gclose, "HDF5",
                      "no root");
    for (const auto& attribute : attributes) write_attribute(root, attribute);
  }
  Hdf5Image image;
  image.header_bytes = std::numeric_limits<int64_t>::max();
  for (const auto& array : arrays)
    image.header_bytes = std::min(image.header_bytes, write_array(file, array));
  check_hdf5(H5Fflush(file, H5F_SCOPE_GLOBAL), "HDF5", "cannot flush");
  const auto size = H5Fget_file_image(file, nullptr, 0);
  check_hdf5(size > 0 ? 0 : -1, "HDF5", "no image of the file");
  image.bytes.resize(size_t(size));
  const auto got = H5Fget_file_image(file, image.bytes.data(), size_t(size));
  check_hdf5(got == size ? 0 : -1, "HDF5", "no image of the file");
  return image;
}

}  // namespace calotype
