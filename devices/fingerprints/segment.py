"""Where in an image the finger is: the blocks with enough local contrast to be ridges.

Does: one coarse mask, for cropping before extraction and for the area gate of quality.py. Does not:
tell ridges from other stripes, or cut minutiae away.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

BLOCK_PX = 16
MIN_CONTRAST = 6.0
"""Standard deviation of grey values in a block below which nothing is ever called a ridge."""

_SHARE_OF_STRONGEST = 0.25
_MARGIN_BLOCKS = 1


def block_contrast(grey: np.ndarray) -> np.ndarray:
    """Standard deviation of each full 16 x 16 block of a uint8 image, float64 (rows, columns)."""
    rows, columns = grey.shape[0] // BLOCK_PX, grey.shape[1] // BLOCK_PX
    blocks = grey[: rows * BLOCK_PX, : columns * BLOCK_PX].astype(np.float64)
    return blocks.reshape(rows, BLOCK_PX, columns, BLOCK_PX).std(axis=(1, 3))


def foreground(grey: np.ndarray) -> np.ndarray:
    """Which blocks belong to the finger, bool (rows, columns): the largest connected patch of contrast."""
    contrast = block_contrast(grey)
    if not contrast.size:
        return np.zeros(contrast.shape, bool)
    floor = max(MIN_CONTRAST, _SHARE_OF_STRONGEST * np.percentile(contrast, 95))
    patches, count = ndimage.label(contrast >= floor, np.ones((3, 3)))
    if not count:
        return np.zeros(contrast.shape, bool)
    largest = 1 + np.argmax(np.bincount(patches.ravel())[1:])
    return ndimage.binary_fill_holes(patches == largest)


def finger_box(grey: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns, in pixels, around the foreground and a margin; all of the image if there is none."""
    mask = foreground(grey)
    if not mask.any():
        return slice(0, grey.shape[0]), slice(0, grey.shape[1])
    sides = []
    for axis, size in ((1, grey.shape[0]), (0, grey.shape[1])):
        hit = np.flatnonzero(mask.any(axis=axis))
        first, last = hit[0] - _MARGIN_BLOCKS, hit[-1] + 1 + _MARGIN_BLOCKS
        sides.append(slice(max(0, first * BLOCK_PX), min(size, last * BLOCK_PX)))
    return sides[0], sides[1]
