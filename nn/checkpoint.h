#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "nn/checkpoint_content.h"
#include "nn/safetensors.h"
#include "nn/stored_tensor.h"
#include "nn/tensor_reader.h"

// Weights as people have them, whatever wrote the file. Nothing of it is run:
// of a pickle only tensors, dictionaries, lists, numbers and text are
// understood, all else is carried as a name (core/pickle.h).
namespace calotype {

/// What a file with weights holds. Tensors are read when they are asked for;
/// they and all StoredTensors live as long as the checkpoint or a copy of it.
class Checkpoint {
 public:
  /// Opens a safetensors file, the index of several (.index.json), a pickle of
  /// torch.save (zip or legacy), or a folder of diffusers' with such weights in
  /// it. The bytes decide what a file is, not its name. Memory and time are
  /// bounded by the file's size. Throws ConfigError where there is nothing to
  /// open, DataError for what is damaged, hostile or no checkpoint, saying what
  /// it is where that can be told (a page of a web site, a Git LFS pointer,
  /// TorchScript, a whole module, ...).
  static Checkpoint open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

  /// "safetensors", "safetensors, 3 shards", "pickle in a zip", "legacy
  /// pickle".
  const std::string& format() const { return content_.format; }

  /// All tensors of the file, under the names of dictionaries and lists joined
  /// by dots: "state_dict.encoder.conv_in.weight", "opt.state.0.step".
  const std::map<std::string, StoredTensor>& tensors() const {
    return content_.tensors;
  }

  /// The state dicts in it, the one to be preferred first: state_dict, then
  /// ema, then model, then what other projects call theirs; else the whole
  /// file. Never empty.
  const std::vector<StateDict>& state_dicts() const {
    return content_.state_dicts;
  }

  /// The first of them, or that under the key `wrapper`; throws ConfigError
  /// with those that there are for another.
  const StateDict& state_dict() const { return content_.state_dicts.front(); }
  const StateDict& state_dict(const std::string& wrapper) const;

  /// What lies beside the tensors, as JSON: "global_step", "epoch",
  /// "pytorch-lightning_version", "loops", "args", "hyper_parameters". Tensors
  /// are "<tensor>"; an object of a class is {"_class": "argparse.Namespace"}
  /// with the values that it would be given. Of what is large, the beginning.
  /// Of safetensors, the metadata.
  const Json& beside() const { return content_.beside; }

  /// Whether PyTorch Lightning 2 wrote it (`loops`), for taming and IBQ have
  /// the same names.
  bool of_lightning_2() const { return beside().contains("loops"); }

  const std::vector<LeftOutTensor>& left_out() const {
    return content_.left_out;
  }

  /// All numbers of a state dict.
  static TensorFile read(const StateDict& state_dict);

 private:
  CheckpointContent content_;
  std::filesystem::path path_;
  std::vector<std::shared_ptr<const void>> files_;  // what the bytes are in
};

/// The numbers of a file's preferred state dict.
TensorFile read_state_dict(const std::filesystem::path& path);

}  // namespace calotype
