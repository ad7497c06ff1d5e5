"""python_store.py STORE: rows a second of random batches in Python, by
python/calotype_store.py and by h5py. Needs python3-h5py."""

import json
import pathlib
import platform
import statistics
import sys
import time

import h5py
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from calotype_store import LatentStore  # noqa: E402

BATCH, BATCHES, REPEATS = 256, 40, 7


def h5py_reader(folder):
    """Mean and log-variance in float32 of sorted rows, shard by shard."""
    lines = [json.loads(line) for line in (folder / "shards.jsonl").read_text().splitlines()]
    lines.sort(key=lambda line: line["file"])
    files = [h5py.File(folder / line["file"]) for line in lines]
    first = np.cumsum([0] + [line["count"] for line in lines])

    def read(rows):
        rows = np.sort(rows)  # h5py takes no others
        shard = np.searchsorted(first, rows, "right") - 1
        parts = []
        for at in np.unique(shard):
            here = rows[shard == at] - first[at]
            parts.append([files[at][name][here] for name in ("latents", "logvar")])
        return [np.concatenate(part).astype(np.float32) for part in zip(*parts)]

    return read


def rate(read, num_rows):
    rates = []
    for repeat in range(REPEATS):
        order = np.random.default_rng(repeat)
        batches = [order.choice(num_rows, BATCH, False) for _ in range(BATCHES)]
        begun = time.perf_counter()
        for rows in batches:
            read(rows)
        rates.append(BATCH * BATCHES / (time.perf_counter() - begun))
    spread = (max(rates) - min(rates)) / 2 / statistics.median(rates)
    return f"{statistics.median(rates):>12,.0f} rows/s  ±{100 * spread:.0f} %"


folder = pathlib.Path(sys.argv[1])
store = LatentStore(folder)
print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy "
      f"{np.__version__}, h5py {h5py.__version__}; {len(store)} rows of "
      f"{store.grid_shapes} {store.info['dtype']}, batches of {BATCH}, one process")
print("moments, calotype_store ", rate(store.moments, len(store)))
print("moments, h5py           ", rate(h5py_reader(folder), len(store)))
print("drawn and normalised    ", rate(lambda rows: store.draw(rows, 1), len(store)))
