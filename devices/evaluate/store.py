"""Where evaluations are kept: signed documents, and sealed minutiae so that later devices can be crossed with them.

Does: one folder per evaluation, written whole or not at all; an Ed25519 key that signs and an AES-256-GCM
key that seals, each made once and readable by its owner only; forgetting, and taking one participant out.
Does not: keep a picture, ever, or a name. A sealed file that was moved, altered or cut does not open.

    evaluations/signing.key, sealing.key     32 bytes each, 0600
    evaluations/<id>/evaluation.json         the signed document
    evaluations/<id>/report.html, report.pdf their SHA-256 stands in the document
    evaluations/<id>/minutiae.sealed         ISO/IEC 19794-2 records and who they are of; gone when forgotten
    evaluations/sessions/<name>.sealed       a guided session under way (session.py)
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from devices.fingerprints import ALGORITHM
from devices.fingerprints.cylinders import cylinders
from devices.fingerprints.errors import BadTemplate
from devices.fingerprints.iso19794 import decode

from .captures import Label
from .matrix import Side
from .process import Impression

DOCUMENT, SEALED = "evaluation.json", "minutiae.sealed"
FILES = {"html": "report.html", "pdf": "report.pdf"}
"""The report's files beside the document, by kind."""
_ID = re.compile(r"[a-z0-9]{8}-[a-z0-9]{6,32}\Z")
_NONCE = 12
_SIGNED_AS = b"ost-device-evaluation-1\n"


class StoreBroken(Exception):
    """A key or a file is missing, readable by others, altered or not ours; `code` says which."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


def new_id(day: str) -> str:
    """An id that sorts by day: "20261122-9f3a61c0". `day`: YYYYMMDD."""
    return f"{day}-{secrets.token_hex(4)}"


# --- signatures ---------------------------------------------------------------


def canonical(document: Mapping) -> bytes:
    """What is signed: the document without its signature's value, in one spelling."""
    bare = {**document, "signature": {k: v for k, v in document["signature"].items() if k != "value"}}
    return _SIGNED_AS + json.dumps(
        bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode()


def key_name(public_key: str) -> str:
    """A public key as people compare it: the first 16 hex digits of its SHA-256, in fours."""
    digest = hashlib.sha256(bytes.fromhex(public_key)).hexdigest()[:16]
    return " ".join(digest[n : n + 4] for n in range(0, 16, 4))


def verify_document(document: Mapping, trusted: str) -> None:
    """Raises StoreBroken unless `document` is whole and signed by the key `trusted` (hex)."""
    try:
        signature = document["signature"]
        if signature["algorithm"] != "Ed25519" or not secrets.compare_digest(signature["public_key"], trusted):
            raise StoreBroken("evaluation_key_unknown")
        value = bytes.fromhex(signature["value"])
        if value.hex() != signature["value"]:  # fromhex reads over spaces
            raise StoreBroken("evaluation_altered")
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(trusted)).verify(value, canonical(document))
    except InvalidSignature:
        raise StoreBroken("evaluation_altered") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StoreBroken("evaluation_unreadable") from None


def verify_files(document: Mapping, folder: Path) -> list[str]:
    """Names of the report's files beside the document that are there and whole. Raises StoreBroken for altered ones."""
    whole = []
    for kind, name in FILES.items():
        entry = document["files"].get(kind)
        path = folder / name
        if entry and path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
                raise StoreBroken("evaluation_file_altered")
            whole.append(name)
    return whole


def read_document(path: Path) -> dict:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        raise StoreBroken("evaluation_unreadable") from None
    if not isinstance(found, dict):
        raise StoreBroken("evaluation_unreadable")
    return found


# --- keys ---------------------------------------------------------------------


def _key(path: Path) -> bytes:
    """32 bytes that only their owner can read; made on first use, never replaced."""
    for folder in (path.parent.parent, path.parent):  # a home that is made here is its owner's alone, too
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    if not path.exists():
        _write(fresh, secrets.token_bytes(32))
        try:
            os.link(fresh, path)  # whole or not at all, and never over another's
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise StoreBroken("evaluation_key_unsafe")
        key = file.read(33)
    if len(key) != 32:
        raise StoreBroken("evaluation_key_unsafe")
    return key


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file in one step: after a crash the old one or the new one is there."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write(fresh, data)
    os.replace(fresh, path)


@dataclass(frozen=True, slots=True)
class Kept:
    """One evaluation in the store. `crossable`: its minutiae are still there."""

    id: str
    folder: Path
    document: dict
    crossable: bool


class Store:
    """A folder of evaluations, made when first used."""

    def __init__(self, folder: Path):
        self.folder = folder

    # --- keys
    def _signing(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(_key(self.folder / "signing.key"))

    @property
    def has_key(self) -> bool:
        return (self.folder / "signing.key").is_file()

    @property
    def public_key(self) -> str:
        """Hex."""
        return self._signing().public_key().public_bytes_raw().hex()

    def sign(self, document: dict) -> dict:
        """The document with `signature`."""
        key = self._signing()
        public = key.public_key().public_bytes_raw().hex()
        signed = {
            **document,
            "signature": {"algorithm": "Ed25519", "public_key": public, "key_name": key_name(public)},
        }
        signed["signature"]["value"] = key.sign(canonical(signed)).hex()
        return signed

    def sign_text(self, purpose: str, text: str) -> str:
        """Hex of the same key's signature under a text of another kind; `purpose` keeps kinds apart."""
        return self._signing().sign(f"{purpose}\n{text}".encode()).hex()

    def verify_text(self, purpose: str, text: str, signature: str) -> bool:
        """Whether this house's key signed `text` for `purpose`."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
            key.verify(bytes.fromhex(signature), f"{purpose}\n{text}".encode())
        except (InvalidSignature, ValueError):
            return False
        return True

    def seal(self, data: bytes, where: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(_key(self.folder / "sealing.key")).encrypt(nonce, data, where.encode())

    def unseal(self, sealed: bytes, where: str) -> bytes:
        try:
            return AESGCM(_key(self.folder / "sealing.key")).decrypt(
                sealed[:_NONCE], sealed[_NONCE:], where.encode()
            )
        except (InvalidTag, ValueError):
            raise StoreBroken("evaluation_sealed_broken") from None

    # --- evaluations
    def save(self, document: dict, files: Mapping[str, bytes | None], sides: list[Side]) -> Kept:
        """Sign and keep. `files`: the report's, by kind (FILES); None where one could not be made: the document then
        says null. The folder appears when everything in it is written."""
        evaluation = self._check(document["id"])
        made = {
            kind: None
            if data is None
            else {"name": FILES[kind], "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for kind, data in files.items()
        }
        signed = self.sign({**document, "files": {**document.get("files", {}), **made}})
        fresh = self.folder / f".{evaluation}"
        fresh.mkdir(mode=0o700)
        for kind, data in files.items():
            if data is not None:
                _write(fresh / FILES[kind], data)
        _write(fresh / SEALED, self.seal(_pack(sides), _where(evaluation)))
        _write(fresh / DOCUMENT, json.dumps(signed, ensure_ascii=False, indent=1, allow_nan=False).encode())
        os.rename(fresh, self.folder / evaluation)
        return Kept(evaluation, self.folder / evaluation, signed, True)

    def list(self) -> list[Kept]:
        """Every evaluation that is whole, newest first. Raises StoreBroken when the key itself cannot be used."""
        return self.inspect()[0]

    def inspect(self) -> tuple[list[Kept], list[str]]:
        """(whole evaluations, newest first; ids of those that were altered)."""
        whole, altered = [], []
        if self.has_key:
            trusted = self.public_key
            for path in sorted(self.folder.iterdir()):
                if _ID.match(path.name) and (path / DOCUMENT).is_file():
                    try:
                        whole.append(self._read(path.name, trusted))
                    except StoreBroken:
                        altered.append(path.name)
        return sorted(whole, key=lambda kept: (kept.document["at"], kept.id), reverse=True), altered

    def read(self, evaluation: str) -> Kept:
        """Raises KeyError for one that is not there, StoreBroken where it was altered."""
        folder = self.folder / self._check(evaluation)
        if not (folder / DOCUMENT).is_file():
            raise KeyError(evaluation)
        return self._read(evaluation, self.public_key)

    def _read(self, evaluation: str, trusted: str) -> Kept:
        folder = self.folder / evaluation
        document = read_document(folder / DOCUMENT)
        verify_document(document, trusted)
        if document["id"] != evaluation:
            raise StoreBroken("evaluation_altered")
        return Kept(evaluation, folder, document, (folder / SEALED).is_file())

    def sides_of(self, evaluation: str) -> list[Side]:
        """What can be crossed with another device; empty when it was forgotten."""
        path = self.folder / self._check(evaluation) / SEALED
        if not path.is_file():
            return []
        return _unpack(self.unseal(path.read_bytes(), _where(evaluation)))

    def cohort(self, cohort: str, device: str = "") -> list[Side]:
        """The newest sides of each other device of a cohort, to cross `device` with."""
        newest: dict[tuple[str, str], Side] = {}
        for kept in reversed(self.list()):  # oldest first, so that newer ones replace them
            if kept.document["cohort"] == cohort and kept.document["device"]["name"] != device:
                newest |= {(side.device, side.source): side for side in self.sides_of(kept.id)}
        return list(newest.values())

    def withdraw(self, cohort: str, person: str) -> int:
        """Take a participant out of the minutiae of every evaluation of a cohort: how many they were taken out of."""
        changed = 0
        for kept in self.list():
            sides = self.sides_of(kept.id) if kept.document["cohort"] == cohort else []
            left = [_without(side, person) for side in sides]
            if sum(len(s.impressions) for s in left) != sum(len(s.impressions) for s in sides):
                write_whole(kept.folder / SEALED, self.seal(_pack(left), _where(kept.id)))
                changed += 1
        return changed

    def forget(self, evaluation: str, whole: bool = False) -> None:
        """Delete its minutiae, so that nothing can be crossed with it any more; `whole`: the report too."""
        folder = self.folder / self._check(evaluation)
        if not folder.is_dir():
            raise KeyError(evaluation)
        (folder / SEALED).unlink(missing_ok=True)
        if whole:
            shutil.rmtree(folder)

    @staticmethod
    def _check(evaluation: str) -> str:
        if not _ID.match(evaluation):
            raise KeyError(evaluation)
        return evaluation


def _where(evaluation: str) -> str:
    return f"device-evaluation|{evaluation}|{ALGORITHM}"


# --- sides as bytes -------------------------------------------------------------


def pack_impression(impression: Impression) -> dict:
    label = impression.label
    return {
        "label": [label.person, label.finger, label.impression],
        "record": base64.b64encode(impression.record).decode() if impression.record else None,
        "refused": impression.refused,
        "nfiq2": impression.nfiq2,
        "area_mm2": impression.area_mm2,
        "advice": impression.advice,
        "dpi_estimate": impression.dpi_estimate,
        "extract_ms": impression.extract_ms,
        "capture_ms": impression.capture_ms,
        "picture": impression.picture,
    }


def unpack_impression(kept: Mapping, ready: bool = True) -> Impression:
    """`ready`: with what it is compared by, which takes some ms. Raises StoreBroken for unreadable minutiae."""
    record = base64.b64decode(kept["record"]) if kept["record"] else None
    minutiae = found_cylinders = None
    if ready and record is not None:
        try:
            found = decode(record)
        except BadTemplate:
            raise StoreBroken("evaluation_sealed_broken") from None
        minutiae, found_cylinders = len(found), cylinders(found)
    return Impression(
        label=Label(*kept["label"]),
        record=record,
        cylinders=found_cylinders,
        minutiae=minutiae,
        **{name: value for name, value in kept.items() if name not in ("label", "record")},
    )


def _pack(sides: list[Side]) -> bytes:
    kept = [
        {
            "evaluation": side.evaluation,
            "device": side.device,
            "source": side.source,
            "origin": side.origin,
            "simulated": side.simulated,
            "impressions": [pack_impression(i) for i in side.impressions],
        }
        for side in sides
    ]
    return json.dumps(kept, separators=(",", ":")).encode()


def _unpack(data: bytes) -> list[Side]:
    return [
        Side(
            side["evaluation"],
            side["device"],
            side["source"],
            side["origin"],
            tuple(unpack_impression(i) for i in side["impressions"]),
            side["simulated"],
        )
        for side in json.loads(data)
    ]


def _without(side: Side, person: str) -> Side:
    left = tuple(i for i in side.impressions if i.label.person != person)
    return Side(side.evaluation, side.device, side.source, side.origin, left, side.simulated)
