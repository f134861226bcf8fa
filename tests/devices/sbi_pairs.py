"""A service and a reader for it, ready to be opened, as the tests of the driver want them."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.interface import CLOSED, ReaderUnusable
from devices.readers.mosip_sbi import MosipSbiReader
from devices.readers.sbi.messages import FINGERS
from tests.devices.sbi_keys import certificate, key_pem, pem, root
from tests.devices.sbi_records import drawn_finger, small_finger
from tests.devices.sbi_service import SbiService

DOMAIN = "https://treatment.example"


class Pairs:
    """Called, it makes one: (service, reader). `trust`: the folder with the authority of the tests."""

    def __init__(self, folder: Path):
        self.trust = folder / "trust"
        self.trust.mkdir()
        (self.trust / "authority.pem").write_bytes(pem(root()))
        self._key, self._certificate = folder / "partner.key", folder / "partner.pem"
        self._key.write_bytes(key_pem("partner"))
        self._key.chmod(0o600)
        self._certificate.write_bytes(pem(certificate("partner")))
        self._made: list = []

    def __call__(self, options: dict | None = None, **service) -> tuple[SbiService, MosipSbiReader]:
        one = SbiService(**service)
        partner = {
            "partner_key": str(self._key),
            "partner_certificate": str(self._certificate),
            "domain_uri": DOMAIN,
        }
        given = {"trust": str(self.trust), "ports": one.port, "grace_s": 0.4} | partner | (options or {})
        reader = MosipSbiReader(**given)
        self._made.append((one, reader))
        return one, reader

    def __enter__(self) -> Pairs:
        return self

    def __exit__(self, *_exc) -> None:
        for one, reader in self._made:
            reader.close()
            one.stop()


def lay(service: SbiService, finger: str = "UNKNOWN", seed: int = 7, **change) -> None:
    service.touches.put([(finger, drawn_finger(FINGERS.get(finger, 0), seed, **change))])


def lay_small(service: SbiService) -> None:
    service.touches.put([("UNKNOWN", small_finger())])


def not_trusted(reader: MosipSbiReader) -> None:
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert refused.value.code == "reader_not_trusted" == reader.trouble()
    assert reader.state() == CLOSED
