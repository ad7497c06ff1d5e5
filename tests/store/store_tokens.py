"""Packed tokens of a shard, decoded as docs/latent_store.md says."""

import json

import numpy as np


def layout(shard):
    """Bits of a token, and the shape of all of a shard's tokens."""
    info = json.loads(shard.attrs["store"])
    bits = max(1, (info["codec"]["num_codes"] - 1).bit_length())
    return bits, (info["count"], *info["grid_shapes"][0])


def packed_tokens(shard):
    bits, shape = layout(shard)
    every = np.unpackbits(shard["packed_tokens"][...], axis=1, bitorder="little")
    each = every[:, : np.prod(shape[1:]) * bits].reshape(*shape, bits)
    return each @ (1 << np.arange(bits))


def coded_tokens(shard):
    bits, shape = layout(shard)
    data = shard["coded_tokens"][...].tobytes()
    stream = iter(data + bytes(4 + 4 * np.prod(shape) * bits))
    code, size = int.from_bytes([next(stream) for _ in range(4)], "big"), 2**32 - 1
    nodes = [(32768, 0)] * (1 << bits)  # probability of a 0 in 65,536ths, seen
    columns = np.empty((np.prod(shape[1:]), shape[0]), np.int64)
    for column in columns:
        nodes = [(zero, min(seen, 4)) for zero, seen in nodes]
        for row in range(len(column)):
            node = 1
            for _ in range(bits):
                zero, seen = nodes[node]
                share = (size >> 16) * zero
                bit = int(code >= share)
                if bit:
                    code, size = code - share, size - share
                    zero -= zero // (seen + 2)
                else:
                    size = share
                    zero += (65536 - zero) // (seen + 2)
                nodes[node] = min(max(zero, 16), 65520), min(seen + 1, 255)
                while size < 1 << 24:
                    code, size = code << 8 | next(stream), size << 8
                node = 2 * node + bit
            column[row] = node - (1 << bits)
    return columns.T.reshape(shape)
