"""Pictures cut into regions that look alike: superpixels that play, and the overlapping regions that XRAI ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import felzenszwalb, slic

Labels = NDArray[np.int64]
COMPACT = 10.0
"""Weight of nearness against likeness of colour in superpixels (SLIC's own default)."""
SCALES = (50.0, 100.0, 150.0, 250.0, 500.0, 1200.0)
"""Felzenszwalb scales, from small regions to large ones, as XRAI's authors chose them."""
SMOOTHING = 0.8
LEAST_SHARE = 150 / 224**2
"""Of the picture's area: smaller regions are merged. 150 pixels of 224 x 224."""


def planes(values: NDArray[np.float64], layout: str) -> NDArray[np.float64]:
    """A picture as [height, width, channels], scaled to 0 .. 1. `layout`: "NCHW", "NHWC" or "NHW"; `values`: one row."""
    last = values.transpose(1, 2, 0) if layout == "NCHW" else values if layout == "NHWC" else values[:, :, None]
    low, high = float(last.min()), float(last.max())
    return np.asarray((last - low) / (high - low)) if high > low else np.zeros(last.shape)


def superpixels(picture: NDArray[np.float64], count: int) -> Labels:
    """About `count` compact regions, [height, width], numbered from 0 (SLIC: Achanta et al., TPAMI 2012).

    `picture`: [height, width, channels] in 0 .. 1.
    """
    found = slic(picture, n_segments=count, compactness=_compactness(picture), start_label=0, channel_axis=2, convert2lab=False)
    _, dense = np.unique(found, return_inverse=True)
    return np.asarray(dense.reshape(found.shape), dtype=np.int64)


def regions(picture: NDArray[np.float64]) -> Labels:
    """Cuts into regions of several sizes, [cuts, height, width], numbered through (Felzenszwalb & Huttenlocher, IJCV 2004).

    `picture`: [height, width, channels] in 0 .. 1.
    """
    least = max(1, round(LEAST_SHARE * picture.shape[0] * picture.shape[1]))
    cuts: list[Labels] = []
    for scale in SCALES:
        labels = felzenszwalb(2 * picture - 1, scale=scale, sigma=SMOOTHING, min_size=least, channel_axis=2)
        cuts.append(labels.astype(np.int64) + (int(cuts[-1].max()) + 1 if cuts else 0))
    return np.stack(cuts)


def _compactness(picture: NDArray[np.float64]) -> float:
    """SLIC's weight of nearness is in units of its colours, which are Lab's 0 .. 100: here they are 0 .. 1."""
    return float(COMPACT / 100 * np.sqrt(picture.shape[2] / 3))
