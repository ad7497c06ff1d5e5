#include <fmt/format.h>
#include <torch/utils.h>

#include <algorithm>
#include <bit>

#include "core/error.h"
#include "core/json_difference.h"
#include "core/latent_scale.h"
#include "core/note.h"
#include "models/codec.h"
#include "store/latent_store.h"
#include "store/store_fingerprint.h"
#include "tools/prepare_training.h"
#include "tools/stored_config.h"
#include "vae/autoencoder_tiny.h"
#include "vae/distillation.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Who is imitated: a codec, a store of its latents, or both.
struct Teacher {
  std::string where;  // as messages name it
  std::shared_ptr<const StoreReader> store;
  std::optional<LoadedCodec> codec;
  CodecRecord record;

  Json config() const { return record.json().value("config", Json::object()); }
};

Teacher open_teacher(const std::string& path, c10::Device device) {
  Teacher teacher{.where = path};
  if (!fs::exists(fs::path(path) / "store.json")) {
    teacher.codec = load_codec(path, device);
    teacher.record = codec_record(*teacher.codec);
    return teacher;
  }
  teacher.store = std::make_shared<const StoreReader>(path);
  if (teacher.store->info().kind == "tokens")
    throw ConfigError(path +
                      ": holds tokens, and a decoder is distilled from "
                      "latents; encode with --kind latents");
  teacher.record = teacher.store->info().codec;
  teacher.codec = remembered_codec(*teacher.store, device,
                                   "what it decodes is not looked at");
  return teacher;
}

/// Keys of the student that are not given are the teacher's where both must
/// have the same.
void fit_student(Json& keys, const ModelClass& student,
                 const Teacher& teacher) {
  const auto theirs = teacher.config();
  const auto known = student.complete(Json::object(), "model");
  std::vector<const char*> shared{"in_channels", "out_channels",
                                  "latent_channels"};
  const bool is_tiny = student.name == AutoencoderTinyImpl::kClassName;
  if (!is_tiny) shared.insert(shared.end(), {"scaling_factor", "shift_factor"});
  for (const char* key : shared)
    if (known.contains(key) && !keys.contains(key) && theirs.contains(key))
      keys[key] = theirs[key];
  if (is_tiny && !keys.contains("num_encoder_blocks") &&
      !keys.contains("num_decoder_blocks") && teacher.codec) {
    const auto levels =
        size_t(std::bit_width(uint64_t(teacher.codec->codec->downsample())));
    const auto width_of = [&](const char* key) {
      return keys.contains(key) && keys[key].is_array() && !keys[key].empty()
                 ? keys[key][0]
                 : Json(64);
    };
    // TAESD's, for as many levels.
    std::vector<int64_t> down(levels, 3), up(levels, 3);
    down.front() = up.back() = 1;
    keys["num_encoder_blocks"] = down;
    keys["num_decoder_blocks"] = up;
    for (const char* key :
         {"encoder_block_out_channels", "decoder_block_out_channels"})
      keys[key] = Json(std::vector<Json>(levels, width_of(key)));
  }
}

void expect_alike(const char* what, int64_t student, int64_t teacher,
                  const std::string& where) {
  if (student != teacher)
    throw ConfigError(
        fmt::format("distill: the student must have {} {}, as {} has, got {}",
                    what, teacher, where, student));
}

void expect_fits(const LatentCodec& student, const Teacher& teacher) {
  if (teacher.codec) {
    const auto& codec = *teacher.codec->codec;
    expect_alike("image channels", student.image_channels(),
                 codec.image_channels(), teacher.where);
    expect_alike("a downsampling of", student.downsample(), codec.downsample(),
                 teacher.where);
  }
  if (teacher.store) {
    for (const auto& shape : teacher.store->info().grid_shapes)
      expect_alike("latent channels", student.latent_channels(), shape[0],
                   teacher.where);
  } else {
    expect_alike("latent channels", student.latent_channels(),
                 teacher.codec->codec->latent_channels(), teacher.where);
  }
}

/// Images as the store's latents are of.
void take_images_of(const Teacher& teacher, TrainDataConfig& data) {
  const auto& info = teacher.store->info();
  if (data.train.empty()) {
    data.train = info.source.value("spec", "");
    if (data.train.empty())
      throw ConfigError(teacher.where +
                        ": does not say what images it is of; --data does");
    note(fmt::format("{}: its images are taken from {}", teacher.where,
                     data.train));
  }
  Preprocessing stored;
  read_config(info.preprocessing, stored, teacher.where);
  auto asked = data.preprocessing;
  if (asked.channels == 0) asked.channels = stored.channels;
  const bool says_nothing =
      write_config(data.preprocessing) == write_config(Preprocessing());
  if (const auto difference = difference_text(preprocessing_record(stored),
                                              preprocessing_record(asked));
      !says_nothing && !difference.empty())
    throw ConfigError(fmt::format(
        "config: data.preprocessing must be that of {}, whose latents are of "
        "such images ({})",
        teacher.where, difference));
  data.preprocessing = stored;
}

/// Throws ConfigError unless the images are those of the store.
void expect_same_images(const Teacher& teacher, const DataRecords& records) {
  const auto& stored = teacher.store->info().source;
  const auto images =
      std::ranges::find(records, "data.train", &DataRecords::value_type::first);
  const auto now = images->second();
  if (stored.value("fingerprint_kind", "") !=
      now.value("fingerprint_kind", "")) {
    note(fmt::format(
        "{}: has a fingerprint of another kind; whether its latents are of "
        "these images cannot be checked",
        teacher.where));
  } else if (stored.value("fingerprint", "") != now.value("fingerprint", "")) {
    throw ConfigError(
        fmt::format("{}: its latents are of {}, and data.train is {}",
                    teacher.where, json_text(stored), json_text(now)));
  }
}

void pair_with_store(const Teacher& teacher, TrainerSetup& setup) {
  setup.data = with_latents(std::move(setup.data), teacher.store);
  if (setup.previewed)
    setup.previewed = with_latents(std::move(setup.previewed), teacher.store);
  if (setup.validation && !teacher.codec)
    throw ConfigError(fmt::format(
        "config: data.validation has no latents without the codec of {}; leave "
        "it out",
        teacher.where));
}

}  // namespace

void prepare_distillation(Prepared& prepared, const ModelClass& known,
                          const TrainJob& job) {
  auto& config = prepared.config;
  if (known.kind != ModelKind::kCodec)
    throw ConfigError(fmt::format(
        "distill: a student is a codec of latents, got a {}", known.name));
  if (config.distill->teacher.empty())
    throw ConfigError(
        "distill: teacher is missing; --teacher names a codec or a latent "
        "store");
  const auto teacher = open_teacher(config.distill->teacher, job.device);
  torch::manual_seed(config.seed);  // of the student, whoever its teacher is
  auto keys = keys_of(config.model);
  fit_student(keys, known, teacher);
  const auto& student = make_model(prepared, known, keys);
  expect_fits(*student.codec, teacher);
  if (teacher.store) take_images_of(teacher, config.data);
  add_images(prepared.setup, prepared.records, config,
             student.codec->image_channels());
  if (teacher.store) {
    expect_same_images(teacher, prepared.records);
    pair_with_store(teacher, prepared.setup);
  }
  prepared.records.emplace_back("distill.teacher", [teacher]() -> Json {
    if (teacher.store)
      return {{"fingerprint", store_fingerprint(*teacher.store)},
              {"fingerprint_kind", "rows"}};
    return {{"fingerprint", teacher.record.sha256()},
            {"fingerprint_kind", "sha256"}};
  });
  prepared.decodes = {teacher.record.sha256()};
  CodecLossConfig loss;
  read_config(*config.loss, loss, "loss");
  const bool is_tiny = known.name == AutoencoderTinyImpl::kClassName;
  prepared.setup.trainable = std::make_shared<Distillation>(
      student.codec, latent_scale(student.config),
      DistillTeacher{.codec = teacher.codec ? teacher.codec->codec : nullptr,
                     .scale = latent_scale(teacher.config())},
      *config.distill, loss, is_tiny ? std::optional<double>(3) : std::nullopt);
}

}  // namespace calotype
