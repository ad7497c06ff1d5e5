#!/usr/bin/env python3
"""Writes small checkpoints, sound and not, for the fuzz target to begin with.

    python3 tests/fuzz/make_corpus.py tests/fixtures/fuzz/checkpoint

Needs nothing but Python: the pickles that torch.save writes are made by classes that
pickle as PyTorch's do. Nothing that is written here is ever unpickled.
"""
import collections
import io
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path


class Storage:
    def __init__(self, kind, key, count, view=None):
        self.kind, self.key, self.count, self.view = kind, key, count, view


class Made:
    """An object that pickles as a call of module.name with arguments."""

    def __init__(self, module, name, *arguments, state=None):
        self.module, self.name, self.arguments = module, name, arguments
        self.state = state


class Name:
    def __init__(self, module, name):
        self.module, self.name = module, name


class Writer(pickle._Pickler):
    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        whole = ("storage", Name("torch", thing.kind), thing.key, "cpu", thing.count)
        return whole if thing.view is None else whole + (thing.view,)

    def save(self, thing, save_persistent_id=True):
        if isinstance(thing, Name):
            self.write(b"c%s\n%s\n" % (thing.module.encode(), thing.name.encode()))
            return
        if isinstance(thing, Made):
            self.save(Name(thing.module, thing.name))
            self.save(tuple(thing.arguments))
            self.write(pickle.REDUCE)
            if thing.state is not None:
                self.save(thing.state)
                self.write(pickle.BUILD)
            return
        super().save(thing, save_persistent_id)


def pickled(thing, protocol=2):
    out = io.BytesIO()
    Writer(out, protocol).dump(thing)
    return out.getvalue()


def tensor(key, shape, kind="FloatStorage", count=None, offset=0, strides=None):
    if strides is None:
        strides, step = [], 1
        for size in reversed(shape):
            strides.insert(0, step)
            step *= size
    if count is None:
        count = 1
        for size in shape:
            count *= size
    return Made("torch._utils", "_rebuild_tensor_v2", Storage(kind, key, count), offset,
                tuple(shape), tuple(strides), False, collections.OrderedDict())


def zipped(data, storages, extra=(("byteorder", b"little"), ("version", b"3\n"))):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        def put(name, content):
            archive.writestr(zipfile.ZipInfo("a/" + name, (1980, 1, 1, 0, 0, 0)), content)
        put("data.pkl", data)
        for key, content in storages.items():
            put("data/" + key, content)
        for name, content in extra:
            put(name, content)
    return out.getvalue()


def legacy(thing, storages):
    out = b"".join(pickled(part) for part in (
        0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, thing, list(storages)))
    for count, content in storages.values():
        out += struct.pack("<Q", count) + content
    return out


def safetensors(entries, content):
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + content


def corpus():
    weight = {"0": bytes(24)}
    plain = collections.OrderedDict(w=tensor("0", [2, 3]))
    lightning = {
        "epoch": 3, "global_step": 10, "pytorch-lightning_version": "1.4.2",
        "state_dict": plain,
        "callbacks": {Name("pytorch_lightning", "ModelCheckpoint"): {"monitor": "val"}},
        "hyper_parameters": Made("argparse", "Namespace", state={"lr": 1e-4}),
    }
    for protocol in (2, 3, 4, 5):
        yield f"protocol_{protocol}", zipped(pickled(plain, protocol), weight)
    yield "lightning", zipped(pickled(lightning), weight)
    yield "views", zipped(pickled({
        "base": tensor("0", [2, 3]), "row": tensor("0", [3], offset=3, count=6),
        "turned": tensor("0", [3, 2], count=6, strides=[1, 3]),
        "wide": tensor("0", [4, 6], count=6, strides=[0, 1])}), weight)
    kinds = {"DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8,
             "ByteStorage": 1, "BoolStorage": 1, "ComplexFloatStorage": 8}
    yield "types", zipped(
        pickled({kind: tensor(str(i), [2], kind) for i, kind in enumerate(kinds)}),
        {str(i): bytes(2 * size) for i, size in enumerate(kinds.values())})
    yield "parameter", zipped(pickled({"w": Made(
        "torch._utils", "_rebuild_parameter", tensor("0", [6]), True,
        collections.OrderedDict())}), weight)
    typed = Made("torch._utils", "_rebuild_tensor_v3", Storage("UntypedStorage", "0", 24), 0,
                 (24,), (1,), False, collections.OrderedDict(), Name("torch", "float8_e5m2"))
    yield "float8", zipped(pickled({"w": typed}), weight)
    yield "big_endian", zipped(pickled(plain), weight, (("byteorder", b"big"),))
    yield "call", zipped(pickled(Made("posix", "system", "false")), {})
    yield "beyond", zipped(pickled({"w": tensor("0", [2, 3], offset=1)}), weight)
    loop = [tensor("0", [6])]
    loop.append(loop)
    yield "loop", zipped(pickled({"l": loop, "w": tensor("0", [6])}), weight)
    for name, leaf in ("laughs", 1), ("laughs_of_tensors", tensor("0", [6])):
        layer = [leaf]
        for _ in range(12):
            layer = [layer] * 10
        yield name, zipped(pickled({"l": layer, "w": tensor("0", [6])}), weight)
    yield "script", zipped(pickled(plain), weight, (("constants.pkl", b"\x80\x02)."),))
    yield "legacy", legacy(plain, {"0": (6, bytes(24))})
    part = Made("torch._utils", "_rebuild_tensor",
                Storage("FloatStorage", "0", 6, ("v", 2, 3)), 0, (3,), (1,))
    yield "legacy_view", legacy({"w": part}, {"0": (6, bytes(24))})
    yield "legacy_short", legacy(plain, {"0": (6, bytes(20))})
    yield "plain_pickle", pickled({"a": 1})
    yield "safetensors", safetensors(
        {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
         "__metadata__": {"format": "pt"}}, bytes(24))
    yield "safetensors_gap", safetensors(
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}, bytes(16))
    yield "page", b"<!DOCTYPE html><title>Sign in</title>"
    yield "pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    yield "nothing", b""


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in corpus():
        (folder / name).write_bytes(content)


main()
