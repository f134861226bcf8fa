"""The compatibility evaluation of a fingerprint device: how well the treatment system would work with it.

    captures.py   what a folder or a ZIP holds          figures.py   error rates with their uncertainty
    process.py    capture to minutiae and quality       practice.py  the same as a counter would live it
    matrix.py     enrolled on A, verified on B          verdict.py   one answer per use
    document.py   all of it as one document             store.py     signed, sealed, forgotten
    session.py    a guided live session over a Reader

Does: measure, in the terms of ISO/IEC 19795-1, with the extractor, the matcher and the operating points of
`devices.fingerprints`. Does not: test liveness, word or draw a report (ost/reports does), or keep a picture.
"""

from .captures import BadCaptures, Captures, Label, RawCapture, read_folder, read_zip
from .document import Device, Occasion, Tries, build
from .process import Impression, from_picture, from_template, process_all, templates_of
from .session import Plan, Session, SessionError, Sessions, Step, run
from .store import Kept, Store, StoreBroken, new_id
from .verdict import LEVELS, USES

__all__ = [
    "LEVELS",
    "USES",
    "BadCaptures",
    "Captures",
    "Device",
    "Impression",
    "Kept",
    "Label",
    "Occasion",
    "Plan",
    "RawCapture",
    "Session",
    "SessionError",
    "Sessions",
    "Step",
    "Store",
    "StoreBroken",
    "Tries",
    "build",
    "from_picture",
    "from_template",
    "new_id",
    "process_all",
    "read_folder",
    "read_zip",
    "run",
    "templates_of",
]
