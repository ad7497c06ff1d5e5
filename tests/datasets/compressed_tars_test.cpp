#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <memory>

#ifdef CALOTYPE_HAS_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "core/cache_folder.h"
#include "datasets/loader.h"
#include "tests/datasets/archive_sets.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class CompressedTars : public Archives {
 protected:
  std::string write_gzipped(const std::string& name,
                            const std::vector<File>& files) {
    const auto bytes = gzipped(bytes_from(tar_of(files)));
    return write(name, {bytes.begin(), bytes.end()});
  }
};

TEST_F(CompressedTars, AreReadInTheirOrder) {
  const auto path = write_gzipped("a.tar.gz", {{"b.png", png(1)},
                                               {"note.txt", "words"},
                                               {"a.png", png(2)},
                                               {"c.png", png(3)},
                                               {"a.cls", "4"}});
  const auto source = open_source(path);
  EXPECT_TRUE(source->is_in_order());
  EXPECT_THAT(names_of(*source), ElementsAre("b.png", "a.png", "c.png"));
  EXPECT_THAT(source->class_names(), ElementsAre("4"));
  EXPECT_EQ(source->label(1), 0);
  EXPECT_EQ(source->label(0), -1);
  for (const int64_t i : {0, 1, 2, 1, 0, 2})
    EXPECT_EQ(source->load(i).image.pixels[0], i + 1);
  EXPECT_EQ(source->content_hashes({2, 0})[0], source->load(2).hash);
  std::shared_ptr<const ImageSource> shared = open_source(path);
  Loader loader(shared, {}, {.batch_size = 2, .shuffle = false});
  EXPECT_THAT(loader.next()->names, ElementsAre("b.png", "a.png"));
  EXPECT_THAT(loader.next()->names, ElementsAre("c.png"));
}

TEST_F(CompressedTars, AreShuffledFromACopyAlone) {
  const auto path =
      write_gzipped("a.tgz", {{"b.png", png(1)}, {"a.png", png(2)}});
  EXPECT_THAT(config_error_of([&] { Loader(open_source(path), {}, {}); }),
              AllOf(HasSubstr("archive's order alone"), HasSubstr("--cache")));
  const auto copied = open_source("cached:" + path);
  EXPECT_FALSE(copied->is_in_order());
  EXPECT_THAT(names_of(*copied), ElementsAre("a.png", "b.png"));
  EXPECT_EQ(copied->load(1).image.pixels[0], 1);
  EXPECT_EQ(path_of_source("cached:" + path), path);
  EXPECT_EQ(
      std::distance(fs::directory_iterator(cache_folder() / "copies"), {}), 1);
}

// pigz, bgzip and cat make files of several.
TEST_F(CompressedTars, MayBeOfSeveralGzipMembers) {
  const auto tar = tar_of({{"b.png", png(1)}, {"a.png", png(2)}});
  std::string all;
  for (const auto& part :
       {tar.substr(0, 100), std::string(), tar.substr(100)}) {
    const auto member = gzipped(bytes_from(part));
    all.append(member.begin(), member.end());
  }
  const auto source = open_source(write("a.tar.gz", all));
  EXPECT_THAT(names_of(*source), ElementsAre("b.png", "a.png"));
  EXPECT_EQ(source->load(1).image.pixels[0], 2);
  EXPECT_THAT(refusal("b.tar.gz", all.substr(0, all.size() - 4)),
              HasSubstr("b.tar.gz: "));
  EXPECT_THAT(refusal("c.tar.gz", all + "\x1f!"), HasSubstr("c.tar.gz: "));
  EXPECT_THAT(refusal("d.tar.gz", all + std::string(1, '\0')),
              HasSubstr("d.tar.gz: "));
}

TEST_F(CompressedTars, ThatAreDamagedOrBombsAreRefused) {
  const auto bytes = gzipped(bytes_from(tar_of({{"b.png", png(1)}})));
  const std::string whole(bytes.begin(), bytes.end());
  EXPECT_THAT(refusal("a.tar.gz", whole.substr(0, whole.size() / 2)),
              HasSubstr("a.tar.gz: "));
  auto damaged = whole;
  damaged[damaged.size() / 2] = char(damaged[damaged.size() / 2] ^ 0x55);
  EXPECT_THAT(refusal("a.tar.gz", damaged), HasSubstr("a.tar.gz: "));
  EXPECT_THAT(refusal("a.tar.gz", std::string("\x1f\x8b")),
              HasSubstr("a.tar.gz: "));
}
#ifdef CALOTYPE_HAS_ARCHIVE
/// Through one of libarchive's own filters.
std::string compressed(const std::string& text, int filter) {
  struct archive* archive = archive_write_new();
  archive_write_add_filter(archive, filter);
  archive_write_set_format_raw(archive);
  archive_write_set_bytes_in_last_block(archive, 1);
  std::string out(text.size() * 2 + 4096, '\0');
  size_t used = 0;
  archive_write_open_memory(archive, out.data(), out.size(), &used);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(archive, entry);
  archive_write_data(archive, text.data(), text.size());
  archive_entry_free(entry);
  archive_write_close(archive);
  archive_write_free(archive);
  return out.substr(0, used);
}

TEST_F(CompressedTars, AreReadByALibraryToo) {
  const auto tar = tar_of({{"b.png", png(1)}, {"a.png", png(2)}});
  for (const int filter : {ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ,
                           ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4}) {
    const auto file = compressed(tar, filter);
    const auto source = open_source(write("a.tar.z", file));
    EXPECT_THAT(names_of(*source), ElementsAre("b.png", "a.png")) << filter;
    EXPECT_EQ(source->load(1).image.pixels[0], 2) << filter;
    EXPECT_THAT(refusal("b.tar.z", file.substr(0, file.size() - 40)),
                HasSubstr("b.tar.z: "))
        << filter;
  }
  // Of the tar's end there may be no more than zeros.
  const auto bomb = compressed(
      make_tar({}) + std::string(size_t{70} << 20, '\0'), ARCHIVE_FILTER_ZSTD);
  EXPECT_THAT(refusal("c.tar.zst", bomb),
              HasSubstr("comes to more than 1000 times its size"));
}
#else
TEST_F(CompressedTars, OfOtherKindsNeedALibrary) {
  const auto path = write("a.tar.zst", "\x28\xb5\x2f\xfd....");
  EXPECT_THAT(config_error_of([&] { open_source(path); }),
              HasSubstr("build with libarchive-dev installed"));
}
#endif

}  // namespace
}  // namespace calotype
