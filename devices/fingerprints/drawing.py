"""Pictures of synthetic fingers, by seed, quickly: for the simulated reader and the demo.

Keeps the last few hundred master prints in memory. Does not know whose finger it is.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image
from scipy import ndimage

from .synthetic import Finger

CONDITIONS = ("normal", "wet", "dry", "edge")
_MASTERS_KEPT = 256

_masters: OrderedDict[int, Finger] = OrderedDict()
_masters_lock = threading.Lock()


def draw(finger: int, impression: int, condition: str = "normal") -> np.ndarray:
    """One impression, uint8 (height, width) at 500 dpi, of the synthetic finger with seed `finger`.

    The master print (0.4 s) is kept for the last few hundred fingers, an impression takes 0.1 s.
    """
    with _masters_lock:
        master = _masters.get(finger)
        if master is not None:
            _masters.move_to_end(finger)
    if master is None:
        master = Finger(finger)
        with _masters_lock:
            _masters[finger] = master
            while len(_masters) > _MASTERS_KEPT:
                _masters.popitem(last=False)
    picture = master.impression(impression, **_LOOKS[condition])
    # Water between the ridges: dark runs together until no ridge ends anywhere.
    return ndimage.grey_erosion(picture, size=(_BLOT_PX, _BLOT_PX)) if condition == "wet" else picture


#: How each condition is asked of `synthetic.Finger.impression`. Wet and edge prints are too poor to match, as they
#: are on a counter; a dry one mostly matches.
_LOOKS = {"normal": {}, "wet": {"wet": 1.0, "noise": 0.8}, "dry": {"wet": -1.0}, "edge": {"area": 0.06}}
_BLOT_PX = 11


def png(image: np.ndarray) -> bytes:
    """A grey image as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
