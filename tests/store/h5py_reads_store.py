"""h5py_reads_store.py WRITE_STORES: what that program wrote, read by h5py."""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError:
    print("SKIPPED: python3-h5py is missing; install it to prove that h5py reads stores")
    sys.exit(77)

from store_tokens import coded_tokens, packed_tokens


def bfloat16(values):
    """Round to nearest even by hand: numpy has no such type."""
    bits = values.astype(np.float32).view(np.uint32)
    bits = bits + 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).view(np.float32)


ROUND = {
    "fp32": lambda values: values,
    "fp16": lambda values: values.astype(np.float16),
    "bf16": bfloat16,
}


SHOWN_AS = {"fp32": "float32", "fp16": "float16", "bf16": "float32"}
COUNTS = [4, 3]

numbers = np.arange(-84, 84, dtype=np.float32).reshape(7, 4, 2, 3)
mean = numbers / np.float32(3)
logvar = numbers / np.float32(100) - np.float32(1)
flipped_mean = numbers / np.float32(7)
flipped_logvar = numbers / np.float32(50)

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], folder], check=True)
    for dtype, flips in itertools.product(ROUND, (False, True)):
        to_stored = ROUND[dtype]
        moments = {"latents": mean, "logvar": logvar}
        if flips:
            moments |= {"latents_flipped": flipped_mean, "logvar_flipped": flipped_logvar}
        store = pathlib.Path(folder) / (dtype + ("-flips" if flips else ""))
        info = json.loads((store / "store.json").read_text())
        assert info["complete"] and info["count"] == 7 and info["flips"] == flips, info
        assert info["preview"] is None
        lines = [json.loads(x) for x in (store / "shards.jsonl").read_text().splitlines()]
        assert [line["count"] for line in lines] == COUNTS
        stored = {name: to_stored(want).astype(np.float64) for name, want in moments.items()}
        every_mean = np.concatenate([x for name, x in stored.items() if "latents" in name])
        every_logvar = np.concatenate([x for name, x in stored.items() if "logvar" in name])
        axes = (0, 2, 3)
        spread = every_mean.var(axes) + np.exp(every_logvar).mean(axes)
        assert np.allclose(info["mean"], every_mean.mean(axes), rtol=0, atol=1e-12)
        assert np.allclose(info["std"], np.sqrt(spread), rtol=1e-12)

        begin = 0
        for line in lines:
            with h5py.File(store / line["file"], "r") as shard:
                rows = slice(begin, begin + line["count"])
                assert sorted(shard) == sorted(
                    [*moments, "label", "name", "index", "size", "source_hash"]
                )
                for name, want in moments.items():
                    got = shard[name]
                    assert got.dtype == SHOWN_AS[dtype], (dtype, got.dtype)
                    assert got.chunks is None and got.id.get_offset() % 64 == 0
                    assert np.array_equal(got[...], to_stored(want)[rows]), (dtype, name)
                k = np.arange(rows.start, rows.stop)
                assert np.array_equal(shard["index"][...], k)
                assert np.array_equal(shard["label"][...], k - 1)
                assert np.array_equal(shard["size"][...], np.stack([10 + k, 20 + k], 1))
                hashes = np.uint64(0xFEDCBA9876543210) + k.astype(np.uint64)
                assert np.array_equal(shard["source_hash"][...], hashes)
                names = [name.decode("utf-8") for name in shard["name"][...]]
                assert names == [f"hémd/{i}.png" for i in k], names

                assert shard.attrs["format_version"] == 2
                assert shard.attrs["kind"].decode() == "moments"
                assert shard.attrs["dtype"].decode() == dtype
                described = json.loads(shard.attrs["store"])
                assert described["codec"] == info["codec"]
                assert described["grid_shapes"] == [[4, 2, 3]]
            begin += line["count"]
        print(f"{store.name}: {begin} rows read by h5py {h5py.__version__}")

    for dtype, num_codes in (("uint8", 256), ("uint16", 65536), ("uint32", 1 << 24)):
        store = pathlib.Path(folder) / f"tokens-{num_codes}-none"
        lines = [json.loads(x) for x in (store / "shards.jsonl").read_text().splitlines()]
        shards = [h5py.File(store / line["file"], "r") for line in lines]
        assert all(shard["tokens"].dtype == dtype for shard in shards)
        assert all("latents" not in shard for shard in shards)
        got = np.concatenate([shard["tokens"][...] for shard in shards])
        want = (num_codes - 1 - np.arange(42)).reshape(7, 1, 2, 3)
        assert np.array_equal(got, want), dtype
        print(f"tokens as {dtype}: {len(got)} rows read by h5py {h5py.__version__}")

    for num_codes in (700, 65536):
        want = (num_codes - 1 - np.arange(42)).reshape(7, 1, 2, 3)
        for packing, read in (("bits", packed_tokens), ("entropy", coded_tokens)):
            store = pathlib.Path(folder) / f"tokens-{num_codes}-{packing}"
            shards = [h5py.File(path, "r") for path in sorted(store.glob("shard-*.h5"))]
            assert np.array_equal(np.concatenate([read(shard) for shard in shards]), want)
            print(f"tokens of {num_codes} codes packed as {packing} read by h5py")
    with h5py.File(pathlib.Path(folder) / f"tokens-{1 << 20}-bits/shard-00001.h5") as shard:
        want = ((1 << 20) - 1 - np.arange(42)).reshape(7, 1, 2, 3)[4:]
        assert np.array_equal(packed_tokens(shard), want)
    with h5py.File(pathlib.Path(folder) / "likely/shard-00000.h5") as shard:
        want = np.where(np.arange(20000) % 700 == 699, 6, 1)
        got = coded_tokens(shard)
        assert np.array_equal(got, np.broadcast_to(want[:, None, None, None], (20000, 1, 1, 6)))
        print(f"likely tokens: {shard['coded_tokens'].shape[0]} bytes for {got.size}")
