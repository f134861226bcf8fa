"""Pictures of synthetic fingers, by seed, quickly: for the simulated reader and the demo.

Keeps the last few hundred master prints in memory. Does not know whose finger it is.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
from PIL import Image

CONDITIONS = ("normal", "wet", "dry", "edge")
_MASTERS_KEPT = 256

_masters: OrderedDict[int, object] = OrderedDict()
_masters_lock = threading.Lock()


def draw(finger: int, impression: int, condition: str = "normal") -> np.ndarray:
    """One impression, uint8 (height, width) at 500 dpi, of the synthetic finger with seed `finger`.

    The master print (0.4 s) is kept for the last few hundred fingers, an impression takes 0.1 s.
    """
    from devices.fingerprints.synthetic import Finger

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
    return master.impression(impression, **_LOOKS[condition])


#: How each condition is asked of `synthetic.Finger.impression`.
_LOOKS = {"normal": {}, "wet": {"wet": 1.0}, "dry": {"dry": 1.0}, "edge": {"area": 0.25}}


def png(image: np.ndarray) -> bytes:
    """A grey image as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
