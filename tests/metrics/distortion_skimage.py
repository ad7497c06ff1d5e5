"""distortion_skimage.py FOLDER: for each pair N_a.png, N_b.png of the folder a line of
mean squared error of pixels in [0,1], PSNR in dB and SSIM, as scikit-image has them.

Ends with 77 where scikit-image is missing.
"""

import pathlib
import sys

try:
    from skimage.io import imread
    from skimage.metrics import (
        mean_squared_error,
        peak_signal_noise_ratio,
        structural_similarity,
    )
except ImportError:
    sys.exit(77)

folder = pathlib.Path(sys.argv[1])
for number in range(len(list(folder.glob("*_a.png")))):
    a = imread(folder / f"{number}_a.png")
    b = imread(folder / f"{number}_b.png")
    similarity = structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2 if a.ndim == 3 else None,
    )
    error = mean_squared_error(a, b) / 255**2
    psnr_db = peak_signal_noise_ratio(a, b, data_range=255)
    print(f"{error:.17g} {psnr_db:.17g} {similarity:.17g}")
