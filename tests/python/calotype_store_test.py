"""calotype_store_test.py: python/calotype_store.py on stores that the program wrote.

CALOTYPE_PROGRAM and CALOTYPE_WRITE_STORES name the program and tests/store/write_stores.
"""

import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import pickle
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

try:
    import numpy as np
except ImportError:
    print("SKIPPED: python3-numpy is missing; install it to prove that Python reads stores")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import calotype_store  # noqa: E402
from calotype_store import (  # noqa: E402
    LatentBatches,
    LatentStore,
    StoreError,
    normal_rows,
    save_latents,
)

try:
    import torch
except ImportError:
    torch = None
    print("skipped: what needs torch; install python3-torch to prove that workers read stores")
else:
    from torch.utils.data import DataLoader

    from calotype_store import LatentDataset

V1 = ROOT / "tests" / "fixtures" / "v1"
FOLDER = pathlib.Path()  # of what write_stores wrote
WORKERS = ("fork", "spawn")


def setUpModule():
    global FOLDER
    FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="calotype-python-"))
    unittest.addModuleCleanup(shutil.rmtree, FOLDER)
    subprocess.run([os.environ["CALOTYPE_WRITE_STORES"], FOLDER], check=True)


def run_program(*arguments):
    subprocess.run([os.environ["CALOTYPE_PROGRAM"], *map(str, arguments), "--quiet"],
                   check=True, stdout=subprocess.DEVNULL)


def bfloat16(values):
    """Round to nearest even by hand: numpy has no such type."""
    bits = values.astype(np.float32).view(np.uint32)
    bits = bits + 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).view(np.float32)


ROUND = {
    "fp32": lambda values: values,
    "fp16": lambda values: values.astype(np.float16).astype(np.float32),
    "bf16": bfloat16,
}


def sums_of(store, rows):
    """What another process reads of some rows, to compare."""
    latents = store.draw(rows, seed=3, step=4)
    return latents.tobytes(), store.labels[rows].tolist(), os.getpid()


class Values(unittest.TestCase):
    def test_stores_of_version_1_hold_what_h5py_reads(self):
        for name, want in json.loads((V1 / "values.json").read_text()).items():
            with self.subTest(name):
                store = LatentStore(V1 / "stores" / name, allow_incomplete=True)
                self.check_rows(store, want["rows"])
                self.assertEqual(store.kind, want["kind"])
                self.assertEqual(store.class_names, want["class_names"])
                if want["complete"]:
                    self.assertEqual(store.mean.tolist(), want["mean"])
                    self.assertEqual(store.std.tolist(), want["std"])

    def check_rows(self, store, rows):
        self.assertEqual(store.names, [row["name"] for row in rows])
        self.assertEqual(store.labels.tolist(), [row["label"] for row in rows])
        self.assertEqual(store.indices.tolist(), [row["index"] for row in rows])
        self.assertEqual(store.sizes.tolist(), [row["size"] for row in rows])
        hashes = [f"{int(value):016x}" for value in store.source_hashes]
        self.assertEqual(hashes, [row["source_hash"] for row in rows])
        for number, row in enumerate(rows):
            self.assertEqual(list(store.shape_of(number)), row["shape"])
            if "tokens" in row:
                self.assertEqual(store.tokens([number]).ravel().tolist(), row["tokens"])
                continue
            for suffix in ("", "_flipped") if store.flips else ("",):
                moments = store.moments([number], [True] if suffix else None)
                for name, values in zip(("latents" + suffix, "logvar" + suffix), moments):
                    if values is None:
                        self.assertNotIn(name, row)
                        continue
                    flat = values.astype(np.float64).ravel()
                    self.assertLess(abs(flat.sum() - row[name]["sum"]), 1e-9)
                    self.assertEqual(flat[:3].tolist(), row[name]["first"])
                    self.assertEqual(flat[-1], row[name]["last"])

    def test_every_number_type_is_read_with_mirror_images_too(self):
        numbers = np.arange(-84, 84, dtype=np.float32).reshape(7, 4, 2, 3)
        plain = numbers / np.float32(3), numbers / np.float32(100) - np.float32(1)
        mirror = numbers / np.float32(7), numbers / np.float32(50)
        rows = [6, 0, 3, 4]
        for dtype, to_stored in ROUND.items():
            for flips in (False, True):
                store = LatentStore(FOLDER / (dtype + ("-flips" if flips else "")))
                self.assertEqual((len(store), store.flips), (7, flips))
                for got, want in zip(store.moments(rows), plain):
                    self.assertEqual(got.dtype, np.float32)
                    np.testing.assert_array_equal(got, to_stored(want)[rows])
                self.assertEqual(store.labels.tolist(), list(range(-1, 6)))
                self.assertEqual(store.names[6], "hémd/6.png")
                if not flips:
                    continue
                flipped = [True, False, True, False]
                for got, want, other in zip(store.moments(rows, flipped), plain, mirror):
                    want = np.where(np.reshape(flipped, (4, 1, 1, 1)), other[rows], want[rows])
                    np.testing.assert_array_equal(got, to_stored(want))

    def test_every_packing_of_tokens_is_read(self):
        for num_codes, packing in [
            (256, "none"), (65536, "none"), (1 << 24, "none"), (700, "bits"), (65536, "bits"),
            (1 << 20, "bits"), (700, "entropy"), (65536, "entropy"),
        ]:
            store = LatentStore(FOLDER / f"tokens-{num_codes}-{packing}")
            want = (num_codes - 1 - np.arange(42)).reshape(7, 1, 2, 3)
            np.testing.assert_array_equal(store.tokens(range(7)), want)
            np.testing.assert_array_equal(store.tokens([5, 1]), want[[5, 1]])
            self.assertEqual(store.num_codes, num_codes)
        likely = LatentStore(FOLDER / "likely")
        want = np.where(np.arange(20000) % 700 == 699, 6, 1).reshape(-1, 1, 1, 1)
        got = likely.tokens(range(20000))
        np.testing.assert_array_equal(got, np.broadcast_to(want, (20000, 1, 1, 6)))

    def test_mixed_shapes_come_in_buckets(self):
        store = LatentStore(FOLDER / "mixed")
        self.assertEqual(store.grid_shapes, [(2, 4, 3), (2, 2, 3)])
        self.assertEqual(sorted(np.concatenate(store.buckets)), list(range(30)))
        for shape, bucket in zip(store.grid_shapes, store.buckets):
            mean, logvar = store.moments(bucket)
            self.assertIsNone(logvar)
            self.assertEqual(mean.shape[1:], shape)
            np.testing.assert_array_equal(mean[:, 0, 0, 0], store.indices[bucket] / 8)
        with self.assertRaisesRegex(ValueError, "must share one grid shape"):
            store.moments(range(30))

    def test_a_growing_store_shows_the_rows_that_it_had(self):
        with self.assertRaisesRegex(StoreError, "growing: the store is not complete; run"):
            LatentStore(FOLDER / "growing")
        growing = LatentStore(FOLDER / "growing", allow_incomplete=True)
        whole = LatentStore(FOLDER / "mixed")
        place = {int(index): row for row, index in enumerate(whole.indices)}
        self.assertGreater(len(growing), 20)
        self.assertLess(len(growing), 30)
        for bucket in growing.buckets:
            same = [place[int(index)] for index in growing.indices[bucket]]
            np.testing.assert_array_equal(growing.moments(bucket)[0], whole.moments(same)[0])
        mean = np.concatenate([growing.moments(x)[0][:, 0].ravel() for x in growing.buckets])
        mean = mean.astype(np.float64)
        self.assertAlmostEqual(growing.mean[0], mean.mean(), places=12)
        self.assertAlmostEqual(growing.std[0], mean.std(), places=12)

    def test_a_store_that_grew_is_another_and_readers_keep_theirs(self):
        data, store = FOLDER / "images", FOLDER / "grown"
        shutil.copytree(V1 / "images", data)
        extra = data / "b" / "02.pgm"
        extra.rename(FOLDER / "02.pgm")
        run_program("encode", V1 / "vae", "--data", data, "--out", store, "--flips")
        before = LatentStore(store)
        latents, pickled = before.draw([0]), pickle.dumps(before)
        (FOLDER / "02.pgm").rename(extra)
        run_program("encode", V1 / "vae", "--data", data, "--out", store, "--flips")
        after = LatentStore(store)
        self.assertEqual((len(before), len(after)), (8, 9))
        np.testing.assert_array_equal(before.draw([0]), latents)  # still mapped
        with self.assertRaisesRegex(StoreError, "shard-0000[01].h5: "):
            pickle.loads(pickled)
        self.assertIn("b/02.pgm", after.names)
        after.check_hashes()

    def test_the_program_s_stores_of_tokens_are_read(self):
        stores = []
        for packing in ("none", "bits", "entropy"):
            out = FOLDER / f"encoded-{packing}"
            run_program("encode", V1 / "vq", "--data", V1 / "images", "--out", out,
                        "--packing", packing)
            stores.append(LatentStore(out))
        for bucket in stores[0].buckets:
            for store in stores[1:]:
                np.testing.assert_array_equal(store.tokens(bucket), stores[0].tokens(bucket))


class Draws(unittest.TestCase):
    def test_random_numbers_have_the_program_s_bits(self):
        want = np.fromfile(FOLDER / "normal.f32", np.float32).reshape(4, 3, 7, 5)
        samples = [0, 3, 123456, (5 << 33) + 1]
        got = normal_rows((3, 7, 5), samples, 0x123456789ABCDEF0, 4000000000)
        np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))
        many = normal_rows((64, 64), range(100), 1)
        self.assertLess(abs(float(many.mean())), 0.01)
        self.assertLess(abs(float(many.std()) - 1), 0.01)

    def test_orders_and_mirror_images_are_the_program_s(self):
        numbers = json.loads((FOLDER / "numbers.json").read_text())
        for text, want in numbers["order"].items():
            order = calotype_store._permutation(int(text), (1 << 64) - 1 - int(text), 9)
            self.assertEqual(order.tolist(), want)
        coins = calotype_store._uniforms(range(20), 7, calotype_store._STORED_FLIP, 3) < 0.5
        self.assertEqual(coins.tolist(), numbers["flips"])

    def test_a_draw_depends_on_its_name_alone(self):
        store = LatentStore(FOLDER / "fp32")
        drawn = store.draw([1, 4, 5], seed=9, step=2)
        np.testing.assert_array_equal(store.draw([4], seed=9, step=2), drawn[1:2])
        self.assertFalse(np.array_equal(store.draw([4], seed=9, step=3), drawn[1:2]))
        mean, logvar = store.moments([1, 4, 5])
        noise = normal_rows((4, 2, 3), store.indices[[1, 4, 5]], 9, 2)
        z = mean.astype(np.float64) + np.exp(logvar.astype(np.float64) / 2) * noise
        column = (-1, 1, 1)
        want = (z - store.mean.reshape(column)) / store.std.reshape(column)
        np.testing.assert_allclose(drawn, want, rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(store.denormalise(drawn), z, rtol=2e-6, atol=2e-6)

    def test_a_channel_that_never_changes_is_zero_and_comes_back(self):
        store = LatentStore(FOLDER / "fp32")
        store.info["mean"], store.info["std"] = [5, 0, 0, 0], [1e-9, 1, 1, 1]
        shown = store.normalise(np.full((1, 4, 2, 3), 5, np.float32))
        self.assertEqual((shown[0, 0].max(), shown[0, 1].max()), (0, 5))
        self.assertEqual(store.denormalise(shown + 7)[0, 0].max(), 5)

    def test_batches_are_of_one_shape_and_each_epoch_has_every_row(self):
        store = LatentStore(FOLDER / "mixed")
        batches = LatentBatches(store, 5, seed=1)
        first, second = list(batches), list(batches)
        self.assertEqual([batch.step for batch in first + second], list(range(2 * len(batches))))
        for batch in first + second:
            self.assertEqual(len({store.shape_of(row) for row in batch.rows}), 1)
            self.assertEqual(len(batch.rows), 5)
        rows = np.concatenate([batch.rows for batch in first])
        self.assertEqual(len(set(rows.tolist())), sum(len(x) // 5 * 5 for x in store.buckets))
        self.assertNotEqual(rows.tolist(), np.concatenate([b.rows for b in second]).tolist())
        again = list(LatentBatches(store, 5, seed=1, epoch=1))
        self.assertEqual([b.rows.tolist() for b in again], [b.rows.tolist() for b in second])
        few = LatentBatches(store, 1000, seed=1)
        self.assertEqual(sorted(len(batch.rows) for batch in few),
                         sorted(len(bucket) for bucket in store.buckets))


class Saved(unittest.TestCase):
    def test_latents_come_back_and_the_program_decodes_them(self):
        encoded, drawn = FOLDER / "of_vae", FOLDER / "drawn"
        run_program("encode", V1 / "vae", "--data", "synthetic:20:8:1", "--out", encoded)
        like = LatentStore(encoded)
        latents = like.denormalise(like.draw(range(20), seed=4))
        names = [f"hémd/{i}" for i in range(20)]
        labels = [i % 3 - 1 for i in range(20)]
        save_latents(drawn, latents, like=like, labels=labels, names=names)
        again = LatentStore(drawn)
        np.testing.assert_array_equal(again.moments(range(20))[0], latents)
        self.assertEqual((again.names, again.labels.tolist()), (names, labels))
        np.testing.assert_allclose(again.mean, latents.mean((0, 2, 3)), rtol=1e-5)
        np.testing.assert_allclose(again.std, latents.std((0, 2, 3)), rtol=1e-5)
        run_program("verify", drawn)
        run_program("decode", V1 / "vae", drawn, "--out", FOLDER / "decoded")
        self.assertEqual(len(list((FOLDER / "decoded").rglob("*.png"))), 20)
        with self.assertRaisesRegex(ValueError, "drawn: a store is there already"):
            save_latents(drawn, latents, like=like)

    def test_shards_follow_each_other_and_h5py_opens_them(self):
        like = LatentStore(FOLDER / "mixed")
        many = np.random.default_rng(1).normal(size=(8200, 2, 1, 1)).astype(np.float32)
        save_latents(FOLDER / "many", many, like=like)
        again = LatentStore(FOLDER / "many")
        np.testing.assert_array_equal(again.moments(range(8200))[0], many)
        self.assertEqual(again.indices.tolist(), list(range(8200)))
        run_program("verify", FOLDER / "many")
        try:
            import h5py
        except ImportError:
            self.skipTest("python3-h5py is missing")
        with h5py.File(FOLDER / "many" / "shard-00001.h5") as shard:
            np.testing.assert_array_equal(shard["latents"][...], many[8192:])
            self.assertEqual(json.loads(shard.attrs["store"])["count"], 8)

    def test_what_no_codec_could_decode_is_refused(self):
        like = LatentStore(FOLDER / "mixed")
        good = np.zeros((2, 2, 4, 3), np.float32)
        for change, words in [
            ({"latents": good[0]}, "must be finite numbers"),
            ({"latents": good * np.nan}, "must be finite numbers"),
            ({"latents": np.zeros((2, 3, 4, 3))}, "must be those of"),
            ({"labels": [0]}, "labels and names must be 2"),
            ({"labels": [0, 2]}, "classes below 2"),
            ({"names": ["a", "a"]}, "names of one picture each"),
        ]:
            with self.assertRaisesRegex(ValueError, words):
                save_latents(FOLDER / "bad", **{"latents": good, "like": like, **change})
        self.assertFalse((FOLDER / "bad").exists())


class Workers(unittest.TestCase):
    def test_forked_and_spawned_workers_read_the_same(self):
        store = LatentStore(FOLDER / "bf16-flips")
        want = sums_of(store, [0, 6, 2])
        for method in WORKERS:
            context = multiprocessing.get_context(method)
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                for got in pool.map(sums_of, [store] * 4, [[0, 6, 2]] * 4):
                    self.assertEqual(got[:2], want[:2])
                    self.assertNotEqual(got[2], want[2])

    def test_decoded_tokens_go_along(self):
        store = LatentStore(FOLDER / "tokens-700-entropy")
        store.decode()
        again = pickle.loads(pickle.dumps(store))
        self.assertIsNotNone(again._shards[0].tokens)
        np.testing.assert_array_equal(again.tokens(range(7)), store.tokens(range(7)))

    def test_a_relative_path_is_found_from_elsewhere(self):
        here = os.getcwd()
        try:
            os.chdir(FOLDER)
            pickled = pickle.dumps(LatentStore("fp16"))
            os.chdir("/")
            self.assertEqual(len(pickle.loads(pickled)), 7)
        finally:
            os.chdir(here)


class Refusals(unittest.TestCase):
    def copy(self, name):
        folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER)) / name
        shutil.copytree(FOLDER / name, folder)
        return folder

    def refused(self, folder, *words):
        with self.assertRaises(StoreError) as caught:
            LatentStore(folder)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        for word in words:
            self.assertIn(word, message)

    def changed_info(self, **keys):
        folder = self.copy("fp16")
        path = folder / "store.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
        return folder

    def test_what_is_no_store(self):
        self.refused(FOLDER / "nowhere", "no latent store here (store.json is missing)")
        self.refused(V1 / "vae", "no latent store here", "it is a model folder")

    def test_store_json_says_something_else(self):
        for keys, words in [
            ({"format_version": 3}, ["store.json: format_version 3 is newer than 2"]),
            ({"surprise": 1}, ["unknown key 'surprise'"]),
            ({"scales": [1]}, ["asks for scales [1]"]),
            ({"kind": "pixels"}, ["kind must be one of moments, latents, tokens, got 'pixels'"]),
            ({"dtype": "uint8"}, ["dtype must be one of fp32, fp16, bf16"]),
            ({"dtype": "fp32"}, ["/latents: must have elements of fp32, got fp16"]),
            ({"flips": True}, ["/latents_flipped: not there"]),
            ({"count": 8}, ["shards.jsonl lists 7 rows, store.json 8"]),
            ({"grid_shapes": [[4, 3, 2]]}, ["different grid shapes"]),
            ({"mean": [0]}, ["mean and std of 4 channels"]),
            ({"class_names": ["a"]}, ["row 2 has the label 1"]),
        ]:
            with self.subTest(keys):
                self.refused(self.changed_info(**keys), *words)
        folder = self.copy("fp16")
        (folder / "store.json").write_text('{"kind": "moments", "kind": "moments"}')
        self.refused(folder, "store.json: not JSON: a key stands there twice")
        (folder / "store.json").write_text("[" * 100000)
        self.refused(folder, "store.json: not JSON: ")

    def test_shards_are_cut_off_damaged_or_gone(self):
        folder = self.copy("fp32")
        shard = folder / "shard-00001.h5"
        data = shard.read_bytes()
        shard.write_bytes(data[:-1])
        self.refused(folder, f"shard-00001.h5: expected {len(data)} bytes, got {len(data) - 1}")
        shard.write_bytes(data[:3000] + bytes([data[3000] ^ 1]) + data[3001:])
        self.refused(folder, "shard-00001.h5: the header is damaged")
        shard.unlink()
        self.refused(folder, "shard-00001.h5: cannot be read")

        shard.write_bytes(data[:-300] + bytes([data[-300] ^ 1]) + data[-299:])
        with self.assertRaisesRegex(StoreError, "shard-00001.h5: the rows are damaged"):
            LatentStore(folder).check_hashes()

    def test_a_token_that_the_codebook_does_not_have(self):
        folder = self.copy("tokens-700-bits")
        shard, data = folder / "shard-00000.h5", b""
        header = json.loads((folder / "shards.jsonl").read_text().splitlines()[0])
        data = bytearray(shard.read_bytes())
        at = header["header_bytes"]
        data[at : at + 8] = b"\xff" * 8
        shard.write_bytes(data)
        with self.assertRaisesRegex(StoreError, "row 0 has token 1023, the codebook has 700"):
            LatentStore(folder).tokens([0])

    def test_damaged_range_coded_tokens_are_not_decoded(self):
        folder = self.copy("tokens-700-entropy")
        shard = folder / "shard-00000.h5"
        data = bytearray(shard.read_bytes())
        header = json.loads((folder / "shards.jsonl").read_text().splitlines()[0])
        data[header["header_bytes"]] ^= 16
        shard.write_bytes(data)
        with self.assertRaisesRegex(StoreError, "shard-00000.h5: the rows are damaged"):
            LatentStore(folder).tokens([0])

    def test_wrong_use_is_told(self):
        moments, tokens = LatentStore(FOLDER / "fp32"), LatentStore(FOLDER / "tokens-700-bits")
        for call, error, words in [
            (lambda: moments.draw([7]), IndexError, r"rows must be in \[0, 7\)"),
            (lambda: moments.draw([-1]), IndexError, r"rows must be in \[0, 7\)"),
            (lambda: moments.draw([]), ValueError, "at least one"),
            (lambda: moments.draw([0.5]), ValueError, "whole numbers"),
            (lambda: moments.draw([0], flipped=[True]), ValueError, "encode with --flips"),
            (lambda: moments.draw([0], seed=-1), ValueError, "seed and step must be"),
            (lambda: moments.tokens([0]), ValueError, "has no tokens"),
            (lambda: tokens.draw([0]), ValueError, "has no moments"),
        ]:
            with self.assertRaisesRegex(error, words):
                call()

    def test_flipped_bytes_are_refused_or_harmless(self):
        """Of every file of stores of all kinds; of headers also with a hash that fits."""
        numbers = random.Random(5)
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        now = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (now + (512 << 20), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_AS, (soft, hard))
        refused = harmless = 0
        for name in ("fp16-flips", "tokens-700-bits", "tokens-700-entropy", "mixed"):
            folder = self.copy(name)
            header_bytes = json.loads((folder / "shards.jsonl").read_text().split("\n")[0])[
                "header_bytes"
            ]
            for file in ("store.json", "shards.jsonl", "shard-00000.h5"):
                path = folder / file
                data = path.read_bytes()
                lines = (folder / "shards.jsonl").read_text()
                used = [i for i in range(header_bytes) if data[i]] if file[-1] == "5" else None
                for _ in range(150):
                    damaged = bytearray(data)
                    for _ in range(numbers.choice((1, 1, 1, 4))):
                        at = numbers.choice(used) if used else numbers.randrange(len(data))
                        damaged[at] = numbers.choice((damaged[at] ^ (1 << numbers.randrange(8)),
                                                      numbers.randrange(256), 255))
                    path.write_bytes(damaged)
                    if used:  # as one who means harm would
                        head = np.frombuffer(bytes(damaged[:header_bytes]), np.uint8)
                        old = json.loads(lines.split("\n")[0])["header_hash"]
                        text = lines.replace(old, f"{calotype_store._xxh3(head):016x}", 1)
                        (folder / "shards.jsonl").write_text(text)
                    begun = time.monotonic()
                    try:
                        store = LatentStore(folder)
                        rows = store.buckets[0][:3]
                        store.tokens(rows) if store.kind == "tokens" else store.draw(rows)
                        harmless += 1
                    except StoreError as error:
                        refused += 1
                        self.assertNotIn("\n", str(error))
                    self.assertLess(time.monotonic() - begun, 5)
                path.write_bytes(data)
                (folder / "shards.jsonl").write_text(lines)
        self.assertGreater(refused, 500)
        self.assertGreater(harmless, 10)  # among them attributes that nobody reads


class Hash(unittest.TestCase):
    def test_it_is_what_the_program_wrote_of_files_of_many_sizes(self):
        for line in (FOLDER / "likely" / "shards.jsonl").read_text().splitlines():
            entry = json.loads(line)
            data = np.fromfile(FOLDER / "likely" / entry["file"], np.uint8)
            self.assertEqual(f"{calotype_store._xxh3(data):016x}", entry["hash"])
            head = data[: entry["header_bytes"]]
            self.assertEqual(f"{calotype_store._xxh3(head):016x}", entry["header_hash"])

    def test_it_is_the_library_s(self):
        try:
            import xxhash
        except ImportError:
            self.skipTest("python3-xxhash is missing")
        data = np.random.default_rng(1).integers(0, 256, 1_200_000, np.uint8)
        for size in (241, 255, 256, 257, 1023, 1024, 1025, 1088, 4097, 1 << 20, len(data)):
            want = xxhash.xxh3_64_intdigest(data[:size].tobytes())
            self.assertEqual(calotype_store._xxh3(data[:size]), want, size)


class Package(unittest.TestCase):
    def test_its_wheel_is_typed_and_says_its_version(self):
        code = "import build_wheel, sys; build_wheel.build_wheel(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, FOLDER], cwd=ROOT / "python", check=True)
        wheel = zipfile.ZipFile(FOLDER / "calotype_store-1.0-py3-none-any.whl")
        text = wheel.read("calotype_store/__init__.py").decode()
        self.assertEqual(text, (ROOT / "python" / "calotype_store.py").read_text())
        self.assertIn("calotype_store/py.typed", wheel.namelist())
        self.assertIn(f"Version: {calotype_store.__version__}",
                      wheel.read("calotype_store-1.0.dist-info/METADATA").decode())

    def test_its_types_hold(self):
        try:
            import mypy.api
        except ImportError:
            self.skipTest("python3-mypy is missing")
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", FOLDER)) / "mypy"
        out, err, code = mypy.api.run(["--strict", "--cache-dir", str(cache),
                                       str(ROOT / "python" / "calotype_store.py")])
        self.assertEqual(code, 0, out + err)


@unittest.skipUnless(torch, "python3-torch is missing")
class Torch(unittest.TestCase):
    def test_four_workers_forked_or_spawned_read_what_none_reads(self):
        dataset = LatentDataset(FOLDER / "fp16-flips", seed=3)

        def epochs(**options):
            batches = LatentBatches(dataset.store, 2, seed=3)
            loader = DataLoader(dataset, batch_size=None, sampler=batches, **options)
            return [batch for _ in range(2) for batch in loader]

        want = epochs()
        self.assertEqual(len(want), 6)
        for method in WORKERS:
            got = epochs(num_workers=4, multiprocessing_context=method, persistent_workers=True)
            for a, b in zip(got, want):
                self.assertTrue(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]))
        self.assertFalse(torch.equal(want[0][0], want[3][0]))

    def test_rows_one_by_one_are_drawn_anew(self):
        dataset = LatentDataset(FOLDER / "fp32")
        self.assertIsInstance(dataset, torch.utils.data.Dataset)
        self.assertEqual((len(dataset), dataset[0][0].shape), (7, (4, 2, 3)))
        self.assertFalse(torch.equal(dataset[0][0], dataset[0][0]))
        for method in WORKERS:
            loader = DataLoader(dataset, 3, shuffle=True, num_workers=4,
                                multiprocessing_context=method)
            labels = torch.cat([labels for _, labels in loader])
            self.assertEqual(sorted(labels.tolist()), list(range(-1, 6)))
        self.assertEqual([x[0].shape for x in dataset.__getitems__([0, 5])], [(4, 2, 3)] * 2)
        with self.assertRaises(IndexError):
            dataset[7]

    def test_tokens_come_as_whole_numbers(self):
        for packing in ("bits", "entropy"):
            store = LatentStore(FOLDER / f"tokens-700-{packing}")
            store.decode()
            loader = DataLoader(LatentDataset(store), 7, num_workers=2,
                                multiprocessing_context="spawn")
            tokens, labels = next(iter(loader))
            self.assertEqual(tokens.dtype, torch.int64)
            self.assertEqual(tokens.flatten().tolist(), list(range(699, 657, -1)))

    def test_the_loop_of_the_page_runs_as_it_stands(self):
        page = (ROOT / "docs" / "python.md").read_text()
        (loop,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.S)
                   if "DataLoader(" in code and "backward()" in code]
        folder = pathlib.Path(tempfile.mkdtemp(dir=FOLDER))
        run_program("encode", V1 / "vae", "--data", "synthetic:200:8:1", "--out", folder / "store")
        (folder / "train.py").write_text(loop)
        path = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
        subprocess.run([sys.executable, "train.py"], cwd=folder, env=path, check=True,
                       stdout=subprocess.DEVNULL)
        run_program("decode", V1 / "vae", folder / "drawn", "--out", folder / "pictures")
        self.assertEqual(len(list((folder / "pictures").iterdir())), 16)


if __name__ == "__main__":
    unittest.main()
