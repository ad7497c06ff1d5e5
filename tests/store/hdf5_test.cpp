#include "store/hdf5.h"

#include <gmock/gmock.h>

#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "tests/store/store_samples.h"
#include "tests/support/temp_folder.h"

#define H5_USE_110_API
#include <hdf5.h>  // to make files that this library never would

namespace calotype {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const std::vector<float> kNumbers = {1, 2, 3, 4, 5, 6};

Hdf5Image small_file(const std::string& text = "hello") {
  return make_hdf5(
      std::vector<Hdf5Attribute>{{"answer", int64_t{42}}, {"text", text}},
      std::vector<Hdf5Array>{
          {"numbers", Hdf5Type::kFloat32, 4, {2, 3}, kNumbers.data()},
          {"words", Hdf5Type::kText, 5, {3}, "one\0\0two\0\0three"}});
}

/// A file that `fill` made through HDF5 itself.
template <class Fill>
std::filesystem::path crafted(const TempFolder& folder, Fill&& fill) {
  const auto path = folder / "crafted.h5";
  const auto file =
      H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  fill(file);
  H5Fclose(file);
  return path;
}

/// Makes the array "numbers" of 6 elements.
void make_array(hid_t file, hid_t type, hid_t properties, hsize_t size = 6) {
  const auto space = H5Screate_simple(1, &size, nullptr);
  H5Dclose(H5Dcreate2(file, "numbers", type, space, H5P_DEFAULT, properties,
                      H5P_DEFAULT));
  H5Sclose(space);
}

std::string refusal(const std::filesystem::path& path) {
  return message_of<DataError>([&] { Hdf5File(path).find("numbers"); });
}

TEST(Hdf5, TellsWhereTheArraysLie) {
  const TempFolder folder;
  const auto image = small_file();
  write_file_atomic(folder / "a.h5", image.bytes);
  const Hdf5File file(folder / "a.h5");
  EXPECT_EQ(file.integer("answer"), 42);
  EXPECT_EQ(file.text("text"), "hello");

  const auto numbers = file.find("numbers");
  EXPECT_EQ(numbers.type, Hdf5Type::kFloat32);
  EXPECT_EQ(numbers.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(numbers.size_bytes, 24);
  EXPECT_EQ(numbers.offset % 64, 0);
  EXPECT_EQ(
      std::memcmp(&image.bytes[size_t(numbers.offset)], kNumbers.data(), 24),
      0);

  const auto words = file.find("words");
  EXPECT_EQ(words.type, Hdf5Type::kText);
  EXPECT_EQ(words.item_bytes, 5);
  EXPECT_EQ(words.offset % 64, 0);
  EXPECT_EQ(std::memcmp(&image.bytes[size_t(words.offset)],
                        "one\0\0two\0\0three", 15),
            0);
}

TEST(Hdf5, MakesTheSameBytesEveryTime) {
  EXPECT_EQ(small_file().bytes, small_file().bytes);
}

TEST(Hdf5, KeepsAnAttributeOf300Kilobytes) {
  const TempFolder folder;
  const std::string text(300'000, 'x');
  write_file_atomic(folder / "a.h5", small_file(text).bytes);
  EXPECT_EQ(Hdf5File(folder / "a.h5").text("text"), text);
}

TEST(Hdf5, ReadsNothingBehindTheHeader) {
  for (const size_t length : {5, 70'000}) {
    const TempFolder folder;
    auto image = small_file(std::string(length, 'x'));
    std::fill(image.bytes.begin() + image.header_bytes, image.bytes.end(),
              0xff);
    write_file_atomic(folder / "a.h5", image.bytes);
    const Hdf5File file(folder / "a.h5");
    EXPECT_EQ(file.text("text").size(), length);
    EXPECT_EQ(file.find("numbers").size_bytes, 24);
    EXPECT_EQ(file.find("words").size_bytes, 15);
  }
}

TEST(Hdf5, PrintsNothingWhenItFails) {
  const TempFolder folder;
  write_file_atomic(folder / "a.h5", small_file().bytes);
  testing::internal::CaptureStderr();
  EXPECT_THAT(
      message_of<DataError>([&] { Hdf5File(folder / "a.h5").find("other"); }),
      HasSubstr("a.h5: /other: not there: "));
  EXPECT_THAT(
      message_of<DataError>([&] { Hdf5File(folder / "a.h5").text("answer"); }),
      EndsWith("a.h5: attribute answer: must be one text of fixed length"));
  write_file_atomic(folder / "b.h5", "no such format");
  EXPECT_THAT(message_of<DataError>([&] { Hdf5File(folder / "b.h5"); }),
              HasSubstr("b.h5: not a readable HDF5 file: "));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Hdf5, RefusesStorageInAnotherFile) {
  const TempFolder folder;
  const auto path = crafted(folder, [](hid_t file) {
    const auto how = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(how, "/etc/passwd", 0, 24);
    make_array(file, H5T_IEEE_F32LE, how);
    H5Pclose(how);
  });
  EXPECT_THAT(refusal(path), EndsWith("/numbers: lies in another file"));
}

TEST(Hdf5, RefusesLinks) {
  const TempFolder folder;
  const auto soft = crafted(folder, [](hid_t file) {
    H5Lcreate_soft("/elsewhere", file, "numbers", H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(refusal(soft), EndsWith("/numbers: is a link to elsewhere"));
  const auto external = crafted(folder, [](hid_t file) {
    H5Lcreate_external("other.h5", "/numbers", file, "numbers", H5P_DEFAULT,
                       H5P_DEFAULT);
  });
  EXPECT_THAT(refusal(external), EndsWith("/numbers: is a link to elsewhere"));
}

TEST(Hdf5, RefusesChunksFiltersAndVirtualArrays) {
  const TempFolder folder;
  const auto chunked = crafted(folder, [](hid_t file) {
    const auto how = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = 2;
    H5Pset_chunk(how, 1, &chunk);
    H5Pset_deflate(how, 1);
    make_array(file, H5T_IEEE_F32LE, how);
    H5Pclose(how);
  });
  EXPECT_THAT(refusal(chunked), HasSubstr("/numbers: must be contiguous"));
  const auto joined = crafted(folder, [](hid_t file) {
    const auto how = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t size = 6;
    const auto space = H5Screate_simple(1, &size, nullptr);
    H5Pset_virtual(how, space, "other.h5", "/numbers", space);
    make_array(file, H5T_IEEE_F32LE, how);
    H5Sclose(space);
    H5Pclose(how);
  });
  EXPECT_THAT(refusal(joined), HasSubstr("/numbers: must be contiguous"));
}

TEST(Hdf5, RefusesUnknownTypesAndShapesThatDoNotFit) {
  const TempFolder folder;
  const auto big_endian = crafted(folder, [](hid_t file) {
    make_array(file, H5T_IEEE_F32BE, H5P_DEFAULT);
  });
  EXPECT_THAT(refusal(big_endian), EndsWith("of a type that no store has"));
  const auto unwritten = crafted(folder, [](hid_t file) {
    make_array(file, H5T_IEEE_F32LE, H5P_DEFAULT);
  });
  EXPECT_THAT(refusal(unwritten),
              EndsWith("/numbers: has no place in the file"));
  // Four petabytes that were never written, in two kilobytes.
  const auto huge = crafted(folder, [](hid_t file) {
    make_array(file, H5T_IEEE_F32LE, H5P_DEFAULT, hsize_t{1} << 50);
  });
  EXPECT_THAT(refusal(huge), EndsWith("/numbers: is larger than its file"));
  const auto group = crafted(folder, [](hid_t file) {
    H5Gclose(
        H5Gcreate2(file, "numbers", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  });
  EXPECT_THAT(refusal(group), HasSubstr("/numbers: cannot open: "));
}

}  // namespace
}  // namespace calotype
