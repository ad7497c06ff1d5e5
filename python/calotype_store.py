"""Calotype's latent stores with numpy alone (docs/python.md).

    store = LatentStore("store")
    latents = store.draw(rows=[0, 5, 7], seed=1)     # float32 [3, D, h, w], normalised
    labels = store.labels[[0, 5, 7]]

Shards are mapped, not read, and no HDF5 library is asked: a store may be used in
forked workers as it is, and is opened again where it is unpickled. Nothing that a
file says is trusted: what is damaged raises StoreError with one line that names
the file. With torch, LatentDataset is a torch.utils.data.Dataset of it. Latents
that were drawn in Python become a store by save_latents.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

__all__ = ["Batch", "LatentBatches", "LatentStore", "StoreError", "normal_rows", "save_latents"]
__version__ = "1.0"

FORMAT_VERSION = 2  # what is written today; all from 1 on are read

Array = npt.NDArray[Any]
Rows = Union[Sequence[int], npt.NDArray[Any]]


class StoreError(Exception):
    """A store that is not there, not complete, damaged, or newer than this file."""


def _expect(holds: object, where: object, what: str) -> None:
    if not holds:
        raise StoreError(f"{where}: {what}")


# XXH3 (64 bits, seed 0) of more than 240 bytes, by which shards are known. The
# constants are those of its specification.

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578"
    "825ad07dccff7221b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea3"
    "71644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931"
    "c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_PRIME32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_PRIME64 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_LOW32, _LOW64 = (1 << 32) - 1, (1 << 64) - 1
_STRIPE, _BLOCK = 64, 1024


def _secret_words(begin: int, count: int) -> Array:
    return np.frombuffer(_SECRET[begin : begin + 8 * count], "<u8")


def _added(stripes: Array, keys: Array) -> Array:
    """What `stripes` uint64 [..., S, 8] add to the eight sums."""
    mixed = stripes ^ keys
    halves = (mixed & np.uint64(_LOW32)) * (mixed >> np.uint64(32))
    swapped = stripes.reshape(*stripes.shape[:-1], 4, 2)[..., ::-1].reshape(stripes.shape)
    total: Array = (halves + swapped).sum(-2, dtype=np.uint64)
    return total


def _xxh3(data: Array) -> int:
    size = len(data)
    sums = np.array(
        [_PRIME32[2], *_PRIME64[:4], _PRIME32[1], _PRIME64[4], _PRIME32[0]], np.uint64
    )
    num_stripes = _BLOCK // _STRIPE
    keys = np.stack([_secret_words(8 * i, 8) for i in range(num_stripes)])
    last_key, prime = _secret_words(len(_SECRET) - 64, 8), np.uint64(_PRIME32[0])
    num_blocks = (size - 1) // _BLOCK
    some = 1024  # blocks at once, so that memory stays small
    for begin in range(0, num_blocks, some):
        end = min(begin + some, num_blocks)
        words = data[begin * _BLOCK : end * _BLOCK].view("<u8")
        for added in _added(words.reshape(-1, num_stripes, 8), keys):
            sums += added
            sums ^= sums >> np.uint64(47)
            sums ^= last_key
            sums *= prime
    rest = (size - 1 - num_blocks * _BLOCK) // _STRIPE
    tail = data[num_blocks * _BLOCK :][: rest * _STRIPE].copy().view("<u8")
    sums += _added(tail.reshape(-1, 8), keys[:rest])
    last = data[-_STRIPE:].copy().view("<u8").reshape(1, 8)
    sums += _added(last, _secret_words(len(_SECRET) - 64 - 7, 8)[None])

    mixed = [int(a) ^ int(b) for a, b in zip(sums, _secret_words(11, 8))]
    result = size * _PRIME64[0]
    for a, b in zip(mixed[::2], mixed[1::2]):
        product = a * b
        result += (product & _LOW64) ^ (product >> 64)
    result &= _LOW64
    result ^= result >> 37
    result = result * 0x165667919E3779F9 & _LOW64
    return result ^ (result >> 32)


# What a shard's header says of its arrays: the part of the HDF5 file format
# (version 3.0 of its specification) that shards are written in, and no more. All
# of it lies before the first array, so that no number in it leads elsewhere.

_TYPES = {
    "fp32": "11201f00 04000000 0000 2000 17 08 00 17 7f000000",
    "fp16": "11200f00 02000000 0000 1000 0a 05 00 0a 0f000000",
    "bf16": "11200f00 02000000 0000 1000 07 08 00 07 7f000000",
    "uint8": "10000000 01000000 0000 0800",
    "uint16": "10000000 02000000 0000 1000",
    "uint32": "10000000 04000000 0000 2000",
    "uint64": "10000000 08000000 0000 4000",
    "int32": "10080000 04000000 0000 2000",
    "int64": "10080000 08000000 0000 4000",
}
_TYPE_NAMES = {bytes.fromhex(text): name for name, text in _TYPES.items()}
_TEXT = bytes.fromhex("13110000")  # UTF-8 of fixed length, filled up with zeros
_DTYPES = {"fp32": "<f4", "fp16": "<f2", "bf16": "<u2", "uint8": "u1", "uint16": "<u2",
           "uint32": "<u4", "uint64": "<u8", "int32": "<i4", "int64": "<i8"}
_NOWHERE = (1 << 64) - 1


class _Place(NamedTuple):
    type: str  # of _DTYPES, or "text"
    item_bytes: int
    shape: Tuple[int, ...]
    offset: int


class _Header:
    """Where the arrays of a shard lie in its file of `file_bytes`."""

    def __init__(self, data: bytes, file_bytes: int, where: str) -> None:
        self._data, self._file_bytes, self._where = data, file_bytes, where
        self._check(data.startswith(b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"), "no superblock")
        base, _, end, _, _, root = self._numbers("<QQQQQQ", 24)
        self._check(base == 0 and end <= file_bytes, "the file is cut off")
        self._objects = dict(self._links(root))

    def find(self, name: str) -> _Place:
        where = f"{self._where}: /{name}"
        _expect(name in self._objects, where, "not there")
        address = self._objects[name]
        _expect(address is not None, where, "is a link to elsewhere")
        assert address is not None
        parts: Dict[int, bytes] = {}
        for kind, flags, body in self._messages(address):
            _expect(kind not in (7, 11), where, "is filtered or lies in another file")
            if kind in (1, 3, 8):  # shape, type, layout
                _expect(kind not in parts and not flags & 2, where, "is described oddly")
                parts[kind] = body
        _expect(len(parts) == 3, where, "is no array")
        shape = self._shape(parts[1], where)
        kind_name, item_bytes = self._type(parts[3], where)
        layout = parts[8]
        _expect(len(layout) == 18 and layout[0] in (3, 4) and layout[1] == 1, where,
                "must be contiguous, is chunked, compact or virtual")
        offset, num_bytes = struct.unpack("<QQ", layout[2:])
        fits = num_bytes == item_bytes * math.prod(shape) > 0
        _expect(fits and offset + num_bytes <= self._file_bytes, where,
                "has no place in the file")
        return _Place(kind_name, item_bytes, shape, offset)

    @staticmethod
    def _shape(body: bytes, where: str) -> Tuple[int, ...]:
        skip = {1: 8, 2: 4}.get(body[0] if body else 0, 0)
        rank = body[1] if len(body) > 1 else 0
        _expect(skip and 0 < rank <= 4 and len(body) >= skip + 8 * rank, where, "is no array")
        return struct.unpack(f"<{rank}Q", body[skip : skip + 8 * rank])

    @staticmethod
    def _type(body: bytes, where: str) -> Tuple[str, int]:
        if body[:4] == _TEXT and len(body) == 8:
            return "text", struct.unpack("<I", body[4:])[0]
        name = _TYPE_NAMES.get(body)
        _expect(name, where, "has elements of a type that no store has")
        return str(name), np.dtype(_DTYPES[str(name)]).itemsize

    def _check(self, holds: object, what: str) -> None:
        _expect(holds, self._where, f"not a readable HDF5 file: {what}")

    def _bytes(self, begin: int, count: int) -> bytes:
        self._check(0 <= begin <= begin + count <= len(self._data), "an address leads away")
        return self._data[begin : begin + count]

    def _numbers(self, layout: str, begin: int) -> Tuple[Any, ...]:
        return struct.unpack(layout, self._bytes(begin, struct.calcsize(layout)))

    def _messages(self, address: int) -> Iterator[Tuple[int, int, bytes]]:
        """Type, flags and body of what an object's header says."""
        self._check(self._bytes(address, 5) == b"OHDR\x02", "no object where one is named")
        flags = self._bytes(address, 6)[5]
        begin = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        chunks = [(begin + width, int.from_bytes(self._bytes(begin, width), "little"))]
        head = 6 if flags & 4 else 4
        seen = 0
        while chunks:
            at, size = chunks.pop()
            seen += size + 8
            self._check(seen <= len(self._data), "an object is larger than its file")
            self._bytes(at, size)
            end = at + size
            while at + head <= end:
                kind, count, how = self._numbers("<BHB", at)
                at += head
                self._check(at + count <= end, "a message runs past its object")
                body = self._data[at : at + count]
                at += count
                if kind == 16:  # goes on elsewhere
                    self._check(len(body) == 16, "an object goes on nowhere")
                    where, length = struct.unpack("<QQ", body)
                    self._check(length >= 8 and self._bytes(where, 4) == b"OCHK",
                                "an object goes on nowhere")
                    chunks.append((where + 4, length - 8))
                else:
                    yield kind, how, body

    def _links(self, root: int) -> Iterator[Tuple[str, Optional[int]]]:
        for kind, _, body in self._messages(root):
            if kind == 6:
                yield self._link(body)
            elif kind == 2:  # many links lie in a heap
                self._check(len(body) >= 2, "no list of arrays")
                at = 10 if body[1] & 1 else 2
                self._check(len(body) >= at + 16, "no list of arrays")
                heap, tree = struct.unpack("<QQ", body[at : at + 16])
                if heap != _NOWHERE:
                    yield from map(self._link, self._heap_objects(heap, tree))

    def _link(self, body: bytes) -> Tuple[str, Optional[int]]:
        """A name and the address of its object; none for a link to elsewhere."""
        self._check(len(body) >= 2 and body[0] == 1, "an array has no name")
        flags, at = body[1], 2
        is_hard = True
        if flags & 8:
            is_hard = body[at : at + 1] == b"\0"
            at += 1
        at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(body[at : at + width], "little")
        at += width
        self._check(len(body) >= at + size + 8, "an array has no name")
        name = body[at : at + size].decode("utf-8", "replace")
        return name, struct.unpack("<Q", body[at + size : at + size + 8])[0] if is_hard else None

    def _heap_objects(self, heap: int, tree: int) -> Iterator[bytes]:
        """The objects of a fractal heap that a B-tree of one node names."""
        self._check(self._bytes(heap, 5) == b"FRHP\0", "no heap of links")
        id_bytes, filter_bytes = self._numbers("<HH", heap + 5)
        width, start, largest, max_bits = self._numbers("<HQQH", heap + 110)
        _, root, num_rows = self._numbers("<HQH", heap + 130)
        self._check(filter_bytes == 0 and id_bytes == 7 and max_bits == 32, "an odd heap")
        blocks = list(self._blocks(root, width, start, largest, num_rows))

        self._check(self._bytes(tree, 6) == b"BTHD\0\x05", "no list of links")
        record_bytes, depth = self._numbers("<HH", tree + 10)
        leaf, num_records = self._numbers("<QH", tree + 16)
        self._check(record_bytes == 11 and depth == 0, "too many arrays")
        self._check(self._bytes(leaf, 6) == b"BTLF\0\x05", "no list of links")
        for i in range(num_records):
            _, kind, offset, size = self._numbers("<IBIH", leaf + 6 + 11 * i)
            self._check(kind == 0, "an odd heap")
            for first, count, address in blocks:
                if first <= offset < first + count and address != _NOWHERE:
                    self._check(offset + size <= first + count, "a link runs past its heap")
                    yield self._bytes(address + offset - first, size)

    def _blocks(
        self, root: int, width: int, start: int, largest: int, num_rows: int
    ) -> Iterator[Tuple[int, int, int]]:
        """Where the heap's blocks begin in it, how long they are, and their addresses."""
        if num_rows == 0:
            yield 0, start, root
            return
        self._check(self._bytes(root, 5) == b"FHIB\0", "an odd heap")
        self._check(0 < width <= 64 and num_rows <= 64 and start > 0, "an odd heap")
        first, at = 0, root + 17
        for row in range(num_rows):
            size = start << max(0, row - 1)
            self._check(size <= largest, "too many arrays")
            for _ in range(width):
                yield first, size, self._numbers("<Q", at)[0]
                first, at = first + size, at + 8


# Packed tokens (docs/latent_store.md).

_MAX_PACKED_TOKENS = 1 << 28


def _unpacked(rows: Array, num_tokens: int, bits: int) -> Array:
    """int64 [N, num_tokens] of uint8 [N, bytes], the lowest bit first."""
    every = np.unpackbits(rows, axis=1, count=num_tokens * bits, bitorder="little")
    tokens: Array = every.reshape(len(rows), num_tokens, bits) @ (1 << np.arange(bits))
    return tokens


def _decoded(data: bytes, num_rows: int, num_columns: int, bits: int) -> Array:
    """int64 [num_rows, num_columns] of an adaptive binary range coder's bytes."""
    code, size, at = int.from_bytes(data[:4].ljust(4, b"\0"), "big"), _LOW32, 4
    zeros, seen = [32768] * (1 << bits), [0] * (1 << bits)  # of each node, the root is [1]
    end, num_bytes, columns = 1 << bits, len(data), np.empty((num_columns, num_rows), np.int64)
    for column in columns:
        seen = [min(count, 4) for count in seen]
        for row in range(num_rows):
            node = 1
            while node < end:
                zero, count = zeros[node], seen[node]
                if count < 255:
                    seen[node] = count + 1
                share = (size >> 16) * zero
                if code < share:
                    size = share
                    zero += (65536 - zero) // (count + 2)
                    zeros[node] = zero if zero < 65520 else 65520
                    node += node
                else:
                    code -= share
                    size -= share
                    zero -= zero // (count + 2)
                    zeros[node] = zero if zero > 16 else 16
                    node += node + 1
                while size < 1 << 24:
                    code = (code << 8 | (data[at] if at < num_bytes else 0)) & _LOW32
                    size, at = size << 8, at + 1
            column[row] = node - end
    return columns.T


# Random numbers by name: those of the program (docs/adr/0003-counter-based-randomness.md).

_ORDER, _POSTERIOR, _STORED_FLIP = 1, 3, 17  # what a draw is for


def _philox(counter: Sequence[Array], key: int) -> List[Array]:
    """Philox4x32-10 of four arrays of 32-bit words (Salmon et al., SC 2011)."""
    low, shift = np.uint64(_LOW32), np.uint64(32)
    k0, k1 = key & _LOW32, key >> 32
    c = [np.asarray(word, np.uint64) for word in counter]
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k0), p1 & low,
             (p0 >> shift) ^ c[3] ^ np.uint64(k1), p0 & low]
        k0, k1 = (k0 + 0x9E3779B9) & _LOW32, (k1 + 0xBB67AE85) & _LOW32
    return c


def _words(samples: Rows, num_blocks: int, seed: int, stream: int, step: int) -> Array:
    """Four words a block for each sample: uint64 [N, num_blocks, 4]."""
    if not (0 <= seed <= _LOW64 and 0 <= step <= _LOW32):
        raise ValueError(f"seed and step must be below 2^64 and 2^32, got {seed} and {step}")
    sample = np.asarray(samples, np.int64).astype(np.uint64)[:, None]
    high = (sample >> np.uint64(32)) & np.uint64(0xFFFFFF) | np.uint64(stream << 24)
    counter = [np.arange(num_blocks, dtype=np.uint64)[None], np.full((1, 1), step, np.uint64),
               sample & np.uint64(_LOW32), high]
    return np.stack(np.broadcast_arrays(*_philox(counter, seed)), -1)


def _unit(words: Array) -> Array:
    unit: Array = (words.astype(np.float64) + 0.5) * 2.0**-32
    return unit


def normal_rows(
    shape: Sequence[int], samples: Rows, seed: int, step: int = 0, stream: int = _POSTERIOR
) -> Array:
    """Standard normal float32 [N, *shape], the program's own: row k depends on
    (seed, stream, samples[k], step) alone. `samples`: N integers below 2^56."""
    size = math.prod(shape)
    units = _unit(_words(samples, (size + 3) // 4, seed, stream, step))
    radius = np.sqrt(-2 * np.log(units[..., ::2]))
    angle = 2 * math.pi * units[..., 1::2]
    normals = np.empty(units.shape, np.float32)
    normals[..., ::2] = radius * np.cos(angle)
    normals[..., 1::2] = radius * np.sin(angle)
    rows: Array = normals.reshape(len(normals), -1)[:, :size].reshape(-1, *shape)
    return rows


def _uniforms(samples: Rows, seed: int, stream: int, step: int) -> Array:
    return _unit(_words(samples, 1, seed, stream, step)[:, 0, 0])


def _permutation(size: int, seed: int, epoch: int) -> Array:
    """[0, size) in the order of an epoch: a Feistel network over the next power of
    four, walked until it lands inside (Black and Rogaway, 2002)."""
    half_bits = 1
    while 1 << (2 * half_bits) < size:
        half_bits += 1
    mask, shift = np.uint64((1 << half_bits) - 1), np.uint64(half_bits)
    value = np.arange(size, dtype=np.uint64)
    outside = np.ones(size, bool)
    while outside.any():
        left, right = value[outside] >> shift, value[outside] & mask
        for step in range(6):
            counter = [right, *np.array([[epoch], [step], [_ORDER << 24]], np.uint64)]
            left, right = right, left ^ (_philox(counter, seed & _LOW64)[0] & mask)
        value[outside] = left << shift | right
        outside = value >= size
    return value.astype(np.int64)


# store.json and shards.jsonl.

_KEYS = {
    "format_version", "kind", "dtype", "packing", "flips", "grid_shapes", "codec",
    "preprocessing", "source", "recipe", "class_names", "mean", "std", "preview", "count",
    "complete",
}
_FREE: Dict[str, Any] = {"precision": "fp32", "scales": None, "part_plan": None,
                         "tile_plan": None, "columns": []}
_LINE_KEYS = {
    "file", "grid_shape", "count", "bytes", "hash", "header_bytes", "header_hash", "min_index",
    "max_index", "sums", "rows_hash", "scales", "part",
}


def _json_object(text: str, where: str) -> Dict[str, Any]:
    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a key stands there twice")
        return made

    def refuse(number: str) -> Any:
        raise ValueError(f"{number} is no number of JSON")

    try:
        made = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: not JSON: {error}") from None
    _expect(isinstance(made, dict), where, "must be an object")
    return dict(made)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        is_model = (path.parent / "config.json").exists()
        what = ", it is a model folder" if is_model else ""
        raise StoreError(
            f"{path.parent}: no latent store here ({path.name} is missing){what}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: cannot be read: {error}") from None


def _is_count(value: object, least: int = 0, most: int = 1 << 62) -> bool:
    return type(value) is int and least <= value <= most


def _is_numbers(value: object, count: Optional[int] = None) -> bool:
    return (
        isinstance(value, list)
        and (count is None or len(value) == count)
        and all(type(x) in (int, float) and math.isfinite(x) for x in value)
    )


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(_is_count(x, 1, (1 << 20) - 1) for x in value)
    )


def _parsed_info(text: str, where: str) -> Dict[str, Any]:
    info = _json_object(text, where)
    version = info.get("format_version", 1)
    _expect(_is_count(version, 1), where, f"format_version must be 1 or more, got {version}")
    _expect(version <= FORMAT_VERSION, where,
            f"format_version {version} is newer than {FORMAT_VERSION}, which this reads")
    for key in info:
        _expect(key in _KEYS or (key in _FREE and version > 1), where, f"unknown key {key!r}")
    for key, free in _FREE.items():
        _expect(info.get(key, free) == free, where,
                f"asks for {key} {info.get(key)!r:.80}, which this does not know")
    defaults = {"kind": "moments", "dtype": "fp32", "packing": "none", "flips": False,
                "grid_shapes": [], "codec": {}, "class_names": [], "mean": [], "std": [],
                "count": 0, "complete": False}
    info = {**defaults, **info}
    is_tokens = info["kind"] == "tokens"
    dtypes = ("uint8", "uint16", "uint32") if is_tokens else ("fp32", "fp16", "bf16")
    for key, known in (
        ("kind", ("moments", "latents", "tokens")),
        ("dtype", dtypes),
        ("packing", ("none", "bits", "entropy") if is_tokens else ("none",)),
        ("flips", (False,) if is_tokens else (False, True)),
        ("complete", (False, True)),
    ):
        value = info[key]
        _expect(any(value is x or (type(value) is str and value == x) for x in known), where,
                f"{key} must be one of {', '.join(map(str, known))}, got {value!r:.80}")
    names = info["class_names"]
    _expect(isinstance(names, list) and all(type(name) is str for name in names), where,
            "class_names must be a list of text")
    shapes = info["grid_shapes"]
    _expect(isinstance(shapes, list) and all(map(_is_shape, shapes)), where,
            "grid_shapes must be a list of [D, h, w]")
    for key in ("mean", "std"):
        _expect(_is_numbers(info[key]), where, f"{key} must be a list of numbers")
    _expect(isinstance(info["codec"], dict), where, "codec must be an object")
    _expect(_is_count(info["count"]), where, "count must be a number of rows")
    codes, most = info["codec"].get("num_codes", 0), 1 << 16
    if info["packing"] != "none":
        most = most if info["packing"] == "entropy" else 1 << 32
        _expect(_is_count(codes, 1, most), where,
                f"packing {info['packing']} needs tokens of 1 to {most} codes, got {codes!r:.80}")
        bits = (codes - 1).bit_length()
        wanted = "uint8" if bits <= 8 else "uint16" if bits <= 16 else "uint32"
        _expect(info["dtype"] == wanted, where,
                f"packed tokens of {codes} codes have dtype {wanted}, got {info['dtype']}")
    return info


@dataclass(frozen=True)
class _Line:
    """A shard, as its line in shards.jsonl says."""

    file: str
    grid_shape: Tuple[int, ...]
    count: int
    bytes: int
    hash: str
    header_bytes: int
    header_hash: str
    min_index: int
    sums: Dict[str, List[float]]

    @property
    def number(self) -> int:
        return int(self.file[6:-3])


def _parsed_line(text: str, where: str) -> _Line:
    line: Dict[str, Any] = _json_object(text, where)
    for key in line:
        _expect(key in _LINE_KEYS, where, f"unknown key {key!r}")
    for key in ("scales", "part"):
        _expect(line.get(key) is None, where, f"asks for {key}, which this does not know")
    file = line.get("file", "")
    digits = file[6:-3] if type(file) is str else ""
    plain = digits.isascii() and digits.isdigit() and len(digits) < 18
    _expect(plain and file == f"shard-{int(digits):05}.h5", where,
            "file must be like shard-00000.h5")
    _expect(_is_shape(line.get("grid_shape")), where, "grid_shape must be [D, h, w]")
    _expect(_is_count(line.get("count"), 1), where, "count must be positive")
    _expect(_is_count(line.get("bytes"), 1), where, "bytes must be positive")
    # The superblock and the root group alone take more.
    _expect(_is_count(line.get("header_bytes"), 241, line["bytes"]), where,
            "header_bytes must be within the file")
    first, last = (line.get(key, -1) for key in ("min_index", "max_index"))
    _expect(_is_count(first) and _is_count(last) and first <= last, where,
            "min_index and max_index must be in order")
    for key in ("hash", "header_hash"):
        _expect(type(line.get(key)) is str, where, f"{key} must be 16 hex digits")
    sums, depth = line.get("sums", {}), line["grid_shape"][0]
    parts = ("mean", "mean_square", "variance")
    _expect(isinstance(sums, dict) and all(_is_numbers(sums.get(x), depth) for x in parts), where,
            "sums must have a number per channel")
    return _Line(file, tuple(line["grid_shape"]), line["count"], line["bytes"], line["hash"],
                 line["header_bytes"], line["header_hash"], line["min_index"], sums)


def _parsed_lines(text: str, path: Path) -> Tuple[List[_Line], bool]:
    """The shards by their numbers, and whether a kill broke the last line off."""
    whole, _, rest = text.rpartition("\n")
    lines = [_parsed_line(line, f"{path}: line {number}")
             for number, line in enumerate(whole.split("\n") if whole else [], 1)]
    lines.sort(key=lambda line: line.number)
    _expect(len({line.file for line in lines}) == len(lines), path, "names a shard twice")
    _expect(len({line.grid_shape[0] for line in lines}) < 2, path,
            "has shards of several numbers of channels")
    return lines, bool(rest)


def _normalisation(lines: List[_Line], flips: bool) -> Tuple[List[float], List[float]]:
    """mean and std by the law of total variance, added as the program adds them."""
    total = sum(float(x.count * x.grid_shape[1] * x.grid_shape[2] * (1 + flips)) for x in lines)
    mean, std = [], []
    for channel in range(lines[0].grid_shape[0] if lines else 0):
        sums = [sum(float(line.sums[part][channel]) for line in lines)
                for part in ("mean", "mean_square", "variance")]
        mean.append(sums[0] / total)
        spread = max(0.0, sums[1] / total - mean[-1] * mean[-1])
        std.append(math.sqrt(spread + sums[2] / total))
    return mean, std


class _Shard:
    """A shard in mapped memory; arrays are views of the file."""

    def __init__(self, folder: Path, line: _Line, info: Dict[str, Any]) -> None:
        self.path, self.line, self._info = folder / line.file, line, info
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                _expect(size == line.bytes, self.path, f"expected {line.bytes} bytes, got {size}")
                self._map = np.asarray(np.memmap(file, np.uint8, "r", shape=(size,)))
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path}: cannot be read: {error}") from None
        head = self._map[: line.header_bytes]
        _expect(f"{_xxh3(head):016x}" == line.header_hash, self.path, "the header is damaged")
        header = _Header(head.tobytes(), size, str(self.path))
        n, shape = line.count, (line.count, *line.grid_shape)
        self.num_values = math.prod(line.grid_shape)

        def array(name: str, kind: str, want: Tuple[int, ...]) -> Array:
            place = header.find(name)
            where = f"{self.path}: /{name}"
            _expect(place.type == kind, where, f"must have elements of {kind}, got {place.type}")
            _expect(place.shape == want, where, f"must be {want}, got {place.shape}")
            end = place.offset + place.item_bytes * math.prod(want)
            dtype = f"S{place.item_bytes}" if kind == "text" else _DTYPES[kind]
            return self._map[place.offset : end].view(dtype).reshape(want)

        self.label = array("label", "int64", (n,))
        self.index = array("index", "int64", (n,))
        self.name = array("name", "text", (n,))
        self.size = array("size", "int32", (n, 2))
        self.source_hash = array("source_hash", "uint64", (n,))
        self.grids: Dict[str, Array] = {}
        self.bits, self.tokens = 0, None  # type: int, Optional[Array]
        if info["packing"] != "none":
            self.bits = max(1, (info["codec"]["num_codes"] - 1).bit_length())
            most = _MAX_PACKED_TOKENS
            _expect(n * self.num_values <= most, self.path, f"has more than {most} packed tokens")
        if info["packing"] == "bits":
            row_bytes = (self.num_values * self.bits + 7) // 8
            self.grids["packed"] = array("packed_tokens", "uint8", (n, row_bytes))
        elif info["packing"] == "entropy":
            coded = header.find("coded_tokens").shape
            self.grids["coded"] = array("coded_tokens", "uint8", coded[:1])
        elif info["kind"] == "tokens":
            self.grids["tokens"] = array("tokens", info["dtype"], shape)
        else:
            moments = ["latents"] + (["logvar"] if info["kind"] == "moments" else [])
            for name in moments + ([x + "_flipped" for x in moments] if info["flips"] else []):
                self.grids[name] = array(name, info["dtype"], shape)
        self._check_rows(len(info["class_names"]))

    def _check_rows(self, num_classes: int) -> None:
        """What programs use as places."""
        most = num_classes if num_classes else 1 << 62
        for what, values, least, end in (
            ("index", self.index, 0, 1 << 62),
            ("label", self.label, -1, most),
            ("image size", self.size.min(1), 0, 1 << 31),
        ):
            bad = np.flatnonzero((values < least) | (values >= end))
            if len(bad):
                raise StoreError(f"{self.path}: row {bad[0]} has the {what} {values[bad[0]]}")

    def hash(self) -> str:
        return f"{_xxh3(self._map):016x}"

    def decode(self) -> Array:
        """[n, L, h, w] of range-coded tokens, decoded once."""
        if self.tokens is None:
            # A flipped bit would make other tokens of all that follow.
            _expect(self.hash() == self.line.hash, self.path, "the rows are damaged")
            tokens = _decoded(self.grids["coded"].tobytes(), self.line.count, self.num_values,
                              self.bits)
            self.tokens = tokens.astype(_DTYPES[self._info["dtype"]])
        return self.tokens

    def values(self, rows: Array, name: str) -> Array:
        """[N, D h w] of `rows` as stored; tokens as int64 or as they are stored."""
        if "packed" in self.grids:
            return _unpacked(self.grids["packed"][rows], self.num_values, self.bits)
        if "coded" in self.grids:
            return self.decode()[rows]
        values: Array = self.grids[name][rows].reshape(len(rows), -1)
        return values


class LatentStore:
    """A store's rows, numbered shard after shard. May be pickled: it then opens the
    same shards again, and refuses others that took their place."""

    def __init__(
        self, path: Union[str, "os.PathLike[str]"], *, allow_incomplete: bool = False
    ) -> None:
        """`path`: the store's folder. `allow_incomplete`: also one that is still being
        written or was broken off, with the rows that it had when it was opened. Raises
        StoreError."""
        folder = Path(path)
        info = _parsed_info(_read_text(folder / "store.json"), str(folder / "store.json"))
        _expect(info["complete"] or allow_incomplete, folder,
                "the store is not complete; run the same encode again to go on with it")
        listed = folder / "shards.jsonl"
        lines, torn = _parsed_lines(_read_text(listed) if listed.exists() else "", listed)
        total = sum(line.count for line in lines)
        shapes: List[List[int]] = []
        for line in sorted(lines, key=lambda line: line.min_index):
            if list(line.grid_shape) not in shapes:
                shapes.append(list(line.grid_shape))
        is_tokens = info["kind"] == "tokens"
        if info["complete"]:
            _expect(not torn and total == info["count"], folder,
                    f"shards.jsonl lists {total} rows, store.json {info['count']}")
            _expect(info["grid_shapes"] == shapes, folder,
                    "shards.jsonl and store.json list different grid shapes")
            depth = 0 if is_tokens or not shapes else shapes[0][0]
            _expect(len(info["mean"]) == len(info["std"]) == depth, folder,
                    f"store.json must have mean and std of {depth} channels")
        else:
            info["grid_shapes"], info["count"] = shapes, total
            if not is_tokens:
                info["mean"], info["std"] = _normalisation(lines, info["flips"])
        self._open(folder, info, lines)

    def _open(self, folder: Path, info: Dict[str, Any], lines: List[_Line]) -> None:
        self.path, self.info = folder, info
        self._shards = [_Shard(folder, line, info) for line in lines]
        self._first = np.cumsum([0] + [line.count for line in lines])
        self.labels = self._column("label", np.int64)  # int64 [n], -1 where unknown
        self.indices = self._column("index", np.int64)  # int64 [n], position in the source
        twice = np.flatnonzero(np.diff(np.sort(self.indices)) == 0)
        if len(twice):
            index = np.sort(self.indices)[twice[0]]
            raise StoreError(f"{folder}: two rows have index {index}")

    def _column(self, name: str, dtype: npt.DTypeLike) -> Array:
        parts: List[Array] = [getattr(shard, name) for shard in self._shards]
        return np.concatenate([np.empty(0, dtype), *parts])

    def __getstate__(self) -> Dict[str, Any]:
        tokens = {i: shard.tokens for i, shard in enumerate(self._shards)
                  if shard.tokens is not None}
        lines = [shard.line for shard in self._shards]
        return {"path": self.path.absolute(), "info": self.info, "lines": lines, "tokens": tokens}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self._open(state["path"], state["info"], state["lines"])
        for i, tokens in state["tokens"].items():
            self._shards[i].tokens = tokens

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def kind(self) -> str:
        """moments (mean and log-variance), latents (one code), tokens."""
        return str(self.info["kind"])

    @property
    def flips(self) -> bool:
        """Whether rows have the latents of their mirror images too."""
        return bool(self.info["flips"])

    @property
    def class_names(self) -> List[str]:
        return list(self.info["class_names"])

    @property
    def num_codes(self) -> int:
        """Of tokens' codebook; 0 where the store does not say."""
        codes = self.info["codec"].get("num_codes", 0)
        return int(codes) if _is_count(codes) else 0

    @property
    def grid_shapes(self) -> List[Tuple[int, ...]]:
        """[D, h, w] of each bucket; of tokens [L, h, w]."""
        return [tuple(shape) for shape in self.info["grid_shapes"]]

    @property
    def buckets(self) -> List[Array]:
        """The rows of each grid shape, in the order of grid_shapes."""
        ranges: Dict[Tuple[int, ...], List[Array]] = {shape: [] for shape in self.grid_shapes}
        for shard, first in zip(self._shards, self._first):
            ranges[shard.line.grid_shape].append(np.arange(first, first + shard.line.count))
        return [np.concatenate(parts) for parts in ranges.values()]

    def shape_of(self, row: int) -> Tuple[int, ...]:
        """[D, h, w] of a row."""
        if not 0 <= row < len(self):
            raise IndexError(f"rows must be in [0, {len(self)}), got {row}")
        shard = int(np.searchsorted(self._first, row, "right")) - 1
        return self._shards[shard].line.grid_shape

    @property
    def names(self) -> List[str]:
        """Of each row, its name in the source; bytes that are not UTF-8 as os.fsdecode
        gives them."""
        return [os.fsdecode(bytes(name).split(b"\0")[0])
                for shard in self._shards for name in shard.name]

    @property
    def sizes(self) -> Array:
        """int32 [n, 2]: height and width of the originals in pixels."""
        parts = [shard.size for shard in self._shards]
        return np.concatenate(parts) if parts else np.empty((0, 2), np.int32)

    @property
    def source_hashes(self) -> Array:
        """uint64 [n]: XXH3 of the originals."""
        return self._column("source_hash", np.uint64)

    @property
    def mean(self) -> Array:
        """float64 [D] of the latents that training draws; of tokens empty."""
        return np.array(self.info["mean"], np.float64)

    @property
    def std(self) -> Array:
        return np.array(self.info["std"], np.float64)

    def _stored(self, rows: Rows, name: str, flipped: Optional[Rows] = None) -> Array:
        """[N, D, h, w] in the type of the store."""
        wanted = np.asarray(rows)
        if wanted.ndim != 1 or not len(wanted) or wanted.dtype.kind not in "iu":
            raise ValueError("rows must be whole numbers [N], at least one")
        if wanted.min() < 0 or wanted.max() >= len(self):
            raise IndexError(f"rows must be in [0, {len(self)})")
        flip = np.zeros(len(wanted), bool) if flipped is None else np.asarray(flipped, bool)
        if flip.shape != wanted.shape:
            raise ValueError(f"flipped must be of {len(wanted)} rows, got {flip.shape}")
        if flip.any() and not self.flips:
            raise ValueError("the store has no latents of mirror images; encode with --flips")
        place = np.searchsorted(self._first, wanted, "right") - 1
        shape = self._shards[place[0]].line.grid_shape
        out: Optional[Array] = None
        for at in np.unique(place):
            shard = self._shards[at]
            if shard.line.grid_shape != shape:
                raise ValueError(
                    f"rows must share one grid shape, got {shape} and {shard.line.grid_shape}"
                )
            for suffix, chosen in (("", ~flip), ("_flipped", flip)):
                here = np.flatnonzero((place == at) & chosen)
                if not len(here):
                    continue
                values: Array = shard.values(wanted[here] - self._first[at], name + suffix)
                values = values.reshape(-1, *shape)
                if len(here) == len(wanted):
                    return values
                if out is None:
                    out = np.empty((len(wanted), *shape), values.dtype)
                out[here] = values
        assert out is not None
        return out

    def _floats(self, rows: Rows, name: str, flipped: Optional[Rows]) -> Array:
        stored = self._stored(rows, name, flipped)
        if self.info["dtype"] == "bf16":  # the upper half of a float32
            stored = (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return stored.astype(np.float32, copy=False)

    def moments(
        self, rows: Rows, flipped: Optional[Rows] = None
    ) -> Tuple[Array, Optional[Array]]:
        """Mean and log-variance float32 [N, D, h, w] of `rows`, which must share one
        grid shape; kind latents has no log-variance. `flipped`: of N, whose mirror
        image is meant."""
        if self.kind == "tokens":
            raise ValueError("a store of tokens has no moments; ask for tokens()")
        mean = self._floats(rows, "latents", flipped)
        return mean, self._floats(rows, "logvar", flipped) if self.kind == "moments" else None

    def tokens(self, rows: Rows) -> Array:
        """int64 [N, L, h, w] of `rows`, which must share one grid shape. Range-coded
        tokens are decoded shard by shard when first asked for, see decode()."""
        if self.kind != "tokens":
            raise ValueError(f"a store of {self.kind} has no tokens; ask for draw()")
        tokens = self._stored(rows, "tokens").astype(np.int64, copy=False)
        if self.num_codes and tokens.max() >= self.num_codes:
            bad = np.flatnonzero((tokens >= self.num_codes).reshape(len(tokens), -1).any(1))[0]
            row = int(np.asarray(rows)[bad])
            raise StoreError(
                f"{self.path}: row {row} has token {tokens[bad].max()}, the codebook has "
                f"{self.num_codes} codes; calotype verify tells what else is damaged"
            )
        return tokens

    def decode(self) -> None:
        """Decodes all range-coded tokens, which then stay in memory and go with the
        store into other processes; nothing for other stores."""
        if self.info["packing"] == "entropy":
            for shard in self._shards:
                shard.decode()

    def draw(
        self,
        rows: Rows,
        seed: int = 0,
        step: int = 0,
        *,
        flipped: Optional[Rows] = None,
        normalised: bool = True,
    ) -> Array:
        """Latents float32 [N, D, h, w] drawn from the posteriors of `rows`: what the
        program's own training with `seed` draws of them at `step`. Kind latents gives
        its codes."""
        mean, logvar = self.moments(rows, flipped)
        if logvar is not None:
            noise = normal_rows(mean.shape[1:], self.indices[np.asarray(rows)], seed, step)
            mean = mean + np.exp(np.float32(0.5) * logvar) * noise
        return self.normalise(mean) if normalised else mean

    def _scale(self) -> Tuple[Array, Array, Array]:
        """mean and std float32 [D, 1, 1], and which channels never change."""
        mean, std = self.mean, self.std
        least = np.maximum(2.0**-21 * np.abs(mean), float(np.finfo(np.float32).tiny))
        column = (-1, 1, 1)
        return (mean.astype(np.float32).reshape(column), std.astype(np.float32).reshape(column),
                (std <= least).reshape(column))

    def normalise(self, latents: Array) -> Array:
        """(z - mean) / std of [N, D, h, w]; 0 in channels that never change."""
        mean, std, constant = self._scale()
        scaled: Array = (latents - mean) / np.where(constant, np.float32(np.inf), std)
        return scaled

    def denormalise(self, latents: Array) -> Array:
        """What a codec decodes, again of [N, D, h, w] that a model drew."""
        mean, std, constant = self._scale()
        scaled: Array = latents * np.where(constant, np.float32(0), std) + mean
        return scaled

    def mirrored(self, rows: Rows, seed: int, epoch: int) -> Array:
        """bool [N]: whose mirror image the program's training shows in `epoch`."""
        if not self.flips:
            return np.zeros(len(rows), bool)
        coins: Array = _uniforms(self.indices[np.asarray(rows)], seed, _STORED_FLIP, epoch) < 0.5
        return coins

    def check_hashes(self) -> None:
        """Reads all shards. Raises StoreError for one that is not what its line says."""
        for shard in self._shards:
            _expect(shard.hash() == shard.line.hash, shard.path, "the rows are damaged")


# Latents that Python made, as a store of kind latents: the same part of HDF5, written.

_ROWS_PER_SHARD, _ALIGNMENT = 8192, 64


def _lookup3(data: bytes) -> int:
    """Bob Jenkins' hash of an object header, which HDF5 compares."""

    def rotated(value: int, bits: int) -> int:
        return (value << bits | value >> (32 - bits)) & _LOW32

    a = b = c = (0xDEADBEEF + len(data)) & _LOW32
    padded = data + bytes(-len(data) % 12)
    blocks = [struct.unpack("<III", padded[i : i + 12]) for i in range(0, len(padded), 12)]
    for number, (x, y, z) in enumerate(blocks, 1):
        a, b, c = (a + x) & _LOW32, (b + y) & _LOW32, (c + z) & _LOW32
        if number == len(blocks):
            break
        for bits_a, bits_b, bits_c in ((4, 6, 8), (16, 19, 4)):
            a = ((a - c) & _LOW32) ^ rotated(c, bits_a)
            c = (c + b) & _LOW32
            b = ((b - a) & _LOW32) ^ rotated(a, bits_b)
            a = (a + c) & _LOW32
            c = ((c - b) & _LOW32) ^ rotated(b, bits_c)
            b = (b + a) & _LOW32
    c = ((c ^ b) - rotated(b, 14)) & _LOW32
    a = ((a ^ c) - rotated(c, 11)) & _LOW32
    b = ((b ^ a) - rotated(a, 25)) & _LOW32
    c = ((c ^ b) - rotated(b, 16)) & _LOW32
    a = ((a ^ c) - rotated(c, 4)) & _LOW32
    b = ((b ^ a) - rotated(a, 14)) & _LOW32
    return ((c ^ b) - rotated(b, 24)) & _LOW32


def _object(messages: Sequence[Tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<BHB", kind, len(text), 0) + text for kind, text in messages)
    head = b"OHDR\x02\x02" + struct.pack("<I", len(body)) + body
    return head + struct.pack("<I", _lookup3(head))


def _type_of(array: Array) -> bytes:
    if array.dtype.kind == "S":
        return _TEXT + struct.pack("<I", array.dtype.itemsize)
    names = {np.dtype(dtype): name for name, dtype in _DTYPES.items() if name != "bf16"}
    return bytes.fromhex(_TYPES[names[array.dtype]])


def _attribute(name: str, value: Union[int, str]) -> bytes:
    data = np.array(value, np.int64) if isinstance(value, int) else np.array(value.encode())
    scalar = bytes([1, 0, 0, 0, 0, 0, 0, 0])
    text, kind = name.encode() + b"\0", _type_of(data)
    head = struct.pack("<BBHHHB", 3, 0, len(text), len(kind), len(scalar), 0)
    return head + text + kind + scalar + data.tobytes()


def _hdf5(arrays: Dict[str, Array], attributes: Dict[str, Union[int, str]]) -> Tuple[bytes, int]:
    """A file of contiguous arrays, and where the first of them begins."""
    info = [(12, _attribute(name, value)) for name, value in attributes.items()]
    if max(len(body) for _, body in info) >= 1 << 16:
        raise ValueError("what the store says of itself must be shorter than 64 KiB")

    def laid_out(places: List[int], roots: List[int]) -> List[bytes]:
        links = [(6, struct.pack("<BBB", 1, 0, len(name)) + name.encode() + struct.pack("<Q", at))
                 for name, at in zip(arrays, roots)]
        objects = [_object([(2, struct.pack("<BBQQ", 0, 0, _NOWHERE, _NOWHERE)), (10, b"\0\0"),
                            *links, *info])]
        for array, at in zip(arrays.values(), places):
            shape = struct.pack(f"<BBB5x{array.ndim}Q", 1, array.ndim, 0, *array.shape)
            layout = struct.pack("<BBQQ", 3, 1, at, array.nbytes)
            fill = bytes([2, 1, 1, 1, 0, 0, 0, 0])  # early, never written
            objects.append(_object([(1, shape), (3, _type_of(array)), (5, fill), (8, layout)]))
        return objects

    def after(begin: int, sizes: Sequence[int], step: int) -> List[int]:
        ends = [begin]
        for size in sizes:
            ends.append(-(-(ends[-1] + size) // step) * step)
        return ends

    nowhere = [0] * len(arrays)
    sizes = [len(each) for each in laid_out(nowhere, nowhere)]
    heads = after(96, sizes, 8)
    first = -(-heads[-1] // _ALIGNMENT) * _ALIGNMENT
    places = after(first, [array.nbytes for array in arrays.values()], _ALIGNMENT)
    end = places[-2] + list(arrays.values())[-1].nbytes
    image = bytearray(end)
    image[:24] = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0\0\0\0\0"
    image[24:96] = struct.pack("<QQQQQQ24x", 0, _NOWHERE, end, _NOWHERE, 0, heads[0])
    for at, text in zip(heads, laid_out(places[:-1], heads[1:-1])):
        image[at : at + len(text)] = text
    for at, array in zip(places, arrays.values()):
        image[at : at + array.nbytes] = array.tobytes()
    return bytes(image), first


def save_latents(
    path: Union[str, "os.PathLike[str]"],
    latents: Array,
    *,
    like: "LatentStore",
    labels: Optional[Rows] = None,
    names: Optional[Sequence[str]] = None,
) -> None:
    """Writes latents [N, D, h, w], denormalised, as a new store that `calotype decode`
    takes with the codec of `like`. `labels`: -1 where None; `names`: of the pictures,
    their numbers where None. Raises ValueError for what is no such array, and if a
    store is there."""
    values = np.ascontiguousarray(latents, "<f4")
    if values.ndim != 4 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"latents must be finite numbers [N, D, h, w], got {values.shape}")
    if like.kind == "tokens" or values.shape[1] != like.grid_shapes[0][0]:
        raise ValueError(f"latents must be those of {like.path}, {like.grid_shapes}, "
                         f"got {values.shape}")
    count, shape = len(values), list(values.shape[1:])
    label = np.full(count, -1, "<i8") if labels is None else np.asarray(labels, "<i8")
    texts = [f"{i:05}" for i in range(count)] if names is None else list(names)
    if label.shape != (count,) or len(texts) != count or len(set(texts)) != count or not all(
        text and "\0" not in text for text in texts
    ):
        raise ValueError(f"labels and names must be {count}, names of one picture each")
    classes = like.class_names
    if label.min() < -1 or (classes and label.max() >= len(classes)):
        raise ValueError(f"labels must be -1 or classes below {len(classes)}")
    folder = Path(path)
    if (folder / "store.json").exists() or (folder / "shards.jsonl").exists():
        raise ValueError(f"{folder}: a store is there already")
    folder.mkdir(parents=True, exist_ok=True)
    fingerprint = hashlib.sha256(values.tobytes()).hexdigest()[:16]
    info: Dict[str, Any] = {
        "format_version": FORMAT_VERSION, "kind": "latents", "dtype": "fp32", "packing": "none",
        "flips": False, "grid_shapes": [shape], "codec": like.info["codec"],
        "preprocessing": like.info.get("preprocessing", {}),
        "source": {"spec": "python", "fingerprint": fingerprint, "count": count},
        "recipe": {}, "class_names": classes, "mean": [], "std": [], "preview": None,
        "count": 0, "complete": False, **_FREE,
    }
    lines = []
    for number, begin in enumerate(range(0, count, _ROWS_PER_SHARD)):
        rows = slice(begin, min(begin + _ROWS_PER_SHARD, count))
        part = values[rows]
        n = len(part)
        said = json.dumps({**info, "count": n}, ensure_ascii=False)
        attributes: Dict[str, Union[int, str]] = {
            "format_version": FORMAT_VERSION, "kind": "latents", "dtype": "fp32", "store": said}
        data, header_bytes = _hdf5(
            {"latents": part, "label": label[rows],
             "name": np.array([os.fsencode(text) for text in texts[rows]]),
             "index": np.arange(rows.start, rows.stop, dtype="<i8"),
             "size": np.zeros((n, 2), "<i4"), "source_hash": np.zeros(n, "<u8")},
            attributes)
        file, bytes_of = f"shard-{number:05}.h5", np.frombuffer(data, np.uint8)
        (folder / file).write_bytes(data)
        wide = part.astype(np.float64)
        lines.append({
            "file": file, "grid_shape": shape, "count": n, "bytes": len(data),
            "hash": f"{_xxh3(bytes_of):016x}", "header_bytes": header_bytes,
            "header_hash": f"{_xxh3(bytes_of[:header_bytes]):016x}",
            "min_index": rows.start, "max_index": rows.stop - 1,
            "sums": {"mean": wide.sum((0, 2, 3)).tolist(),
                     "mean_square": np.square(wide).sum((0, 2, 3)).tolist(),
                     "variance": [0.0] * shape[0]},
            "rows_hash": f"{_xxh3(bytes_of[header_bytes:]):016x}", "scales": None, "part": None})
    listed = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "shards.jsonl").write_text(listed, encoding="utf-8")
    info["mean"], info["std"] = _normalisation(
        _parsed_lines(listed, folder / "shards.jsonl")[0], False)
    info.update(count=count, complete=True)
    text = json.dumps(info, indent=2, ensure_ascii=False) + "\n"
    (folder / "store.json").write_text(text, encoding="utf-8")


class Batch(NamedTuple):
    """Rows of one grid shape, and the names of their random draws."""

    rows: Array
    epoch: int
    step: int


class LatentBatches:
    """The batches of an epoch, as the program's own training with `seed` forms and
    orders them: each iteration is the next epoch. A sampler for torch's DataLoader."""

    def __init__(
        self, store: LatentStore, batch_size: int, *, seed: int = 0, epoch: int = 0
    ) -> None:
        """Rows that fill no batch wait for another epoch, unless they are all there are
        of their shape."""
        if batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {batch_size}")
        self._buckets, self._batch_size, self._seed = store.buckets, batch_size, seed
        self.epoch = epoch  # that the next iteration is
        full = [len(bucket) // batch_size for bucket in self._buckets]
        self._slots = [(i, at) for i, count in enumerate(full) for at in range(max(1, count))]

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Batch]:
        epoch, self.epoch = self.epoch, self.epoch + 1
        orders = [_permutation(len(bucket), self._seed + 1 + i, epoch)
                  for i, bucket in enumerate(self._buckets)]
        for number, slot in enumerate(_permutation(len(self._slots), self._seed, epoch)):
            bucket, at = self._slots[slot]
            begin = at * self._batch_size
            rows = self._buckets[bucket][orders[bucket][begin : begin + self._batch_size]]
            yield Batch(rows, epoch, epoch * len(self) + number)


try:
    import torch
    from torch.utils.data import Dataset
except ImportError:
    pass
else:
    __all__.append("LatentDataset")

    class LatentDataset(Dataset[Tuple[torch.Tensor, torch.Tensor]]):
        """Latents float32 [D, h, w], or tokens int64 [L, h, w], and labels int64, -1
        where unknown. For a Batch, or a list of rows, all of them at once: [N, ...] and
        [N]."""

        def __init__(
            self,
            store: Union[LatentStore, str, "os.PathLike[str]"],
            *,
            seed: int = 0,
            flips: Optional[bool] = None,
            normalised: bool = True,
        ) -> None:
            """`seed`: of the draws of a Batch, from posteriors and of mirror images. Of
            other rows draws are of torch's generator, so that each epoch has its own.
            `flips`: whether mirror images are shown, half of the time; None: if the
            store has them."""
            self.store = store if isinstance(store, LatentStore) else LatentStore(store)
            if flips and not self.store.flips:
                raise ValueError("the store has no latents of mirror images; encode with --flips")
            self.seed, self.normalised = seed, normalised
            self.flips = self.store.flips if flips is None else flips

        def __len__(self) -> int:
            return len(self.store)

        def __getitem__(
            self, key: Union[int, Sequence[int], Batch]
        ) -> Tuple[torch.Tensor, torch.Tensor]:
            if isinstance(key, Batch):
                return self._batch(key, self.seed)
            seed, step = torch.randint(1 << 32, (2,)).tolist()
            if isinstance(key, (int, np.integer)):
                values, labels = self._batch(Batch(np.array([key]), step, step), seed)
                return values[0], labels[0]
            return self._batch(Batch(np.asarray(key), step, step), seed)

        def __getitems__(self, rows: List[int]) -> List[Tuple[torch.Tensor, torch.Tensor]]:
            """What torch 2 asks for a batch, if rows are of one shape."""
            shapes = {self.store.shape_of(row) for row in rows}
            if len(shapes) > 1:
                return [self[row] for row in rows]
            values, labels = self[rows]
            return list(zip(values, labels))

        def _batch(self, batch: Batch, seed: int) -> Tuple[torch.Tensor, torch.Tensor]:
            store, rows = self.store, batch.rows
            labels = torch.from_numpy(store.labels[rows])
            if store.kind == "tokens":
                return torch.from_numpy(store.tokens(rows)), labels
            flipped = store.mirrored(rows, seed, batch.epoch) if self.flips else None
            latents = store.draw(rows, seed, batch.step, flipped=flipped,
                                 normalised=self.normalised)
            return torch.from_numpy(latents), labels
