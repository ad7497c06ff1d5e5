"""store_gather_h5py.py SHARD BATCH SECONDS: samples/s of random batches by h5py.

h5py wants indices in ascending order, so a batch is sorted, read in one call and made
float32; labels and indices come along, as in StoreReader::gather.
"""

import sys
import time

import h5py
import numpy as np

path, batch, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with h5py.File(path, "r") as shard:
    latents, labels, indices = shard["latents"], shard["label"], shard["index"]
    latents[...]  # so that every page is in memory
    order = np.random.default_rng(1).permutation(len(latents))
    samples = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        first = samples % (len(order) - batch)
        rows = np.sort(order[first : first + batch])
        latents[rows].astype(np.float32)
        labels[rows]
        indices[rows]
        samples += batch
    print(samples / (time.perf_counter() - start))
