#include "images/image_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "datasets/loader.h"
#include "tests/images/image_files.h"
#include "tests/support/temp_folder.h"

namespace calotype {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(PassNotes, SumWhatImagesSay) {
  PassNotes notes;
  notes.add("a", {});
  notes.add("b", {.remarks = {"one", "two"}, .profile = "P3"});
  PassNotes others;
  others.add("c", {.profile = "P3"});
  others.add("d", {.profile = "Adobe RGB"});
  notes.add(others);
  EXPECT_EQ(notes.num_images, 4);
  ASSERT_EQ(notes.warnings.size(), 1u);
  EXPECT_EQ(notes.warnings[0].name, "b");
  EXPECT_EQ(notes.warnings[0].reason, "one; two");
  EXPECT_THAT(notes.profiles, ElementsAre(Pair("Adobe RGB", 1), Pair("P3", 2)));
}

TEST(PassNotes, ALoaderGathersThemAndSkipsNothing) {
  TempFolder folder;
  const auto whole = make_jpeg(gradient(8, 8, 3));
  write_file_atomic(folder / "a.jpg", whole);
  write_file_atomic(folder / "b.jpg",
                    FileBytes(whole.begin(), whole.end() - 2));
  std::vector<std::string> told;
  Loader loader(open_source(folder.path().string()), {},
                {.batch_size = 2,
                 .shuffle = false,
                 .on_note = [&](const std::string& name, const ImageNotes&) {
                   told.push_back(name);
                 }});
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->images.size(0), 2);
  EXPECT_THAT(loader.skipped(), IsEmpty());
  EXPECT_EQ(loader.notes().num_images, 2);
  ASSERT_EQ(loader.notes().warnings.size(), 1u);
  EXPECT_EQ(loader.notes().warnings[0].name, "b.jpg");
  EXPECT_EQ(loader.notes().warnings[0].reason, "Premature end of JPEG file");
  EXPECT_THAT(told, ElementsAre("b.jpg"));
}

TEST(PassNotes, AReducedImageKeepsTheSizeOfItsFile) {
  TempFolder folder;
  write_file_atomic(folder / "a.jpg", make_jpeg(gradient(60, 80, 1)));
  const Preprocessing how{.size = 16, .max_pixels = 2000};
  Loader loader(open_source(folder.path().string(), how), how,
                {.shuffle = false});
  const auto batch = loader.next();
  ASSERT_TRUE(batch);
  EXPECT_THAT(batch->sizes[0], ElementsAre(60, 80));
  EXPECT_EQ(batch->images.size(3), 16);
  EXPECT_EQ(loader.notes().warnings.size(), 1u);
}

}  // namespace
}  // namespace calotype
