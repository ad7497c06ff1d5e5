"""ssim_skimage.py: ms an image of scikit-image's SSIM at the sizes of metrics_bench.

One thread, channel by channel; the median of nine.
"""

import statistics
import time

import numpy as np
from skimage.metrics import structural_similarity

for channels, side in ((3, 256), (1, 28)):
    random = np.random.default_rng(1)
    a = random.integers(0, 256, (channels, side, side)).astype(float)
    b = np.clip(a + random.normal(0, 10, a.shape), 0, 255)
    elapsed_ms = []
    for _ in range(9):
        start = time.perf_counter()
        for one, other in zip(a, b):
            structural_similarity(
                one,
                other,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=255,
            )
        elapsed_ms.append((time.perf_counter() - start) * 1e3)
    print(f"{channels} x {side} x {side}: {statistics.median(elapsed_ms):.3f} ms")
