"""A device service of the Secure Biometric Interface on loopback, written from the specification, that can be faulty.

It signs with keys of the tests, checks what it is asked as a real one does, and answers with the records
that were laid on it. It shares no code with the driver.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from tests.devices.sbi_keys import certificate, key, pack, sign

OK = {"errorCode": "0", "errorInfo": "Success"}


def error(code: str) -> dict:
    return {"errorCode": code, "errorInfo": "no"}


def failed(code: str) -> dict:
    return {"biometrics": [{"specVersion": "", "data": "", "hash": "", "error": error(code)}]}


class SbiService:
    """`purpose`: "Registration" or "Auth". `version`: "0.9.5", "1.0" or "1.0.0". `level`: its certification."""

    def __init__(
        self,
        purpose: str = "Registration",
        version: str = "0.9.5",
        level: str = "L0",
        sub_type: str = "Single",
        partner: str = "partner",
    ):
        self.purpose, self.version, self.level, self.sub_type, self.partner = (
            purpose,
            version,
            level,
            sub_type,
            partner,
        )
        self.serial, self.device_id, self.env = "OST-000000001", "7", "Production"
        self.status = "Ready"
        self.signer, self.identity_signer = "device", "device" if level in ("L0", "SBI 1.0") else "module"
        self.clock = lambda: datetime.now(UTC)
        self.touches: queue.Queue = queue.Queue()
        self.asked: list[tuple[str, dict]] = []
        #: What goes wrong with the next capture: a function of (service, request) that gives the answer,
        #: as JSON, or as bytes to be sent as they are, or None for a closed connection.
        self.fault = None
        #: Changes to what is signed in the next captures, by name of the claim; and to what stands around it.
        self.claims: dict = {}
        self.outer: dict = {}
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self._stopping = threading.Event()
        self.start()

    # --- up and down -----------------------------------------------------------
    def start(self) -> None:
        if self._server is not None:
            return
        self._stopping.clear()
        service = self

        class Handler(_Handler):
            sbi = service

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    def well(self) -> None:
        """Up, ready, empty, and every fault gone."""
        self.start()
        self.status, self.fault = "Ready", None
        self.claims, self.outer = {}, {}
        while not self.touches.empty():
            self.touches.get_nowait()

    # --- what it says ------------------------------------------------------------
    def identity(self) -> dict:
        return {
            "serialNo": self.serial,
            "make": "TestWorks",
            "model": "One",
            "type": "Finger",
            "deviceSubType": self.sub_type,
            "deviceProvider": "TestWorks",
            "deviceProviderId": "TW.1",
            "dateTime": self.stamp(),
        }

    def stamp(self, at: datetime | None = None) -> str:
        return (at or self.clock()).strftime("%Y-%m-%dT%H:%M:%SZ")

    def sub_ids(self) -> list[str]:
        return ["1", "2", "3"] if self.sub_type == "Slap" else ["0"]

    def discovery(self) -> list:
        entry = {
            "deviceId": self.device_id,
            "deviceStatus": self.status,
            "certification": self.level,
            "serviceVersion": self.version,
            "deviceSubId": self.sub_ids(),
            "callbackId": f"http://127.0.0.1:{self.port}/",
            "digitalId": pack(json.dumps(self.identity()).encode()),
            "specVersion": [self.version],
            "purpose": self.purpose,
            "error": OK,
        }
        return [entry | ({"deviceCode": "code-7"} if self.version == "0.9.5" else {})]

    def info(self) -> list:
        payload = {
            "deviceStatus": self.status,
            "deviceId": self.device_id,
            "firmware": "3.1.4",
            "certification": self.level,
            "serviceVersion": self.version,
            "deviceSubId": self.sub_ids(),
            "callbackId": f"http://127.0.0.1:{self.port}/",
            "digitalId": sign(self.identity(), self.identity_signer),
            "env": self.env,
            "purpose": self.purpose,
            "specVersion": [self.version],
        }
        if self.version == "0.9.5":
            payload["deviceCode"] = "code-7"
        if self.status == "Not Registered":
            return [{"deviceInfo": pack(json.dumps(payload).encode()), "error": error("100")}]
        said = {"Ready": OK, "Busy": error("111"), "Not Ready": error("110")}[self.status]
        return [{"deviceInfo": sign(payload, self.signer), "error": said}]

    def capture(self, request: dict):
        """Waits for a touch as long as it is asked to."""
        bio = request["bio"][0]
        if request["purpose"] != self.purpose:
            return failed("709" if self.purpose == "Auth" else "809")
        if bio["deviceId"] != self.device_id:
            return failed("705")
        if self.status == "Busy":
            return failed("111")
        try:
            records = self.touches.get(timeout=int(request["timeout"]) / 1000)
        except queue.Empty:
            return failed("801" if self.purpose == "Auth" else "701")
        return {"biometrics": self.blocks(request, records)}

    def blocks(self, request: dict, records: list[tuple[str, bytes]]) -> list:
        bio = request["bio"][0]
        previous = bytes.fromhex(bio["previousHash"]) if bio["previousHash"] else hashlib.sha256(b"").digest()
        made = []
        for finger, data in records:
            previous = hashlib.sha256(previous + hashlib.sha256(data).digest()).digest()
            made.append(self.block(request, finger, data, previous.hex().upper()))
        return made

    def block(self, request: dict, finger: str, data: bytes, chained: str) -> dict:
        bio = request["bio"][0]
        claims = {
            "digitalId": sign(self.identity(), self.identity_signer),
            "deviceServiceVersion": self.version,
            "bioType": "Finger",
            "bioSubType": finger,
            "purpose": request["purpose"],
            "env": request["env"],
            "bioValue": pack(data),
            "transactionId": request["transactionId"],
            "timestamp": self.stamp(),
            "requestedScore": f"{float(bio['requestedScore'])}",
            "qualityScore": "44.0",
        }
        if self.version == "0.9.5":
            claims["deviceCode"] = "code-7"
        outer = {"specVersion": self.version, "hash": chained, "error": OK}
        if self.purpose == "Auth":
            claims["domainUri"] = request["domainUri"]
            timestamp = self.claims.get("timestamp", claims["timestamp"])
            claims["bioValue"], outer["sessionKey"] = self.sealed(data, timestamp, request["transactionId"])
            der = certificate(self.partner).public_bytes(Encoding.DER)
            outer["thumbprint"] = hashlib.sha256(der).hexdigest().upper()
        return outer | {"data": sign(claims | self.claims, self.signer)} | self.outer

    def sealed(self, data: bytes, timestamp: str, transaction: str) -> tuple[str, str]:
        """As the specification has it: the last bytes of timestamp XOR transaction id are the IV and the AAD."""
        one, other = timestamp.encode(), transaction.encode()
        length = max(len(one), len(other))
        one, other = one.rjust(length, b"\0"), other.rjust(length, b"\0")
        mixed = bytes(x ^ y for x, y in zip(one, other, strict=True))
        session = os.urandom(32)
        value = AESGCM(session).encrypt(mixed[-12:], data, mixed[-16:])
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        return pack(value), pack(key(self.partner).public_key().encrypt(session, oaep))

    def answer(self, verb: str, request: dict):
        if verb == "MOSIPDISC":
            return self.discovery()
        if verb == "MOSIPDINFO":
            return self.info()
        fault, self.fault = self.fault, None
        return fault(self, request) if fault else self.capture(request)

    def wait_until_stopped(self, timeout_s: float) -> None:
        self._stopping.wait(timeout_s)


def old(seconds: float):
    """A claim's timestamp so long ago (or ahead, where negative)."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass  # the driver hangs up in the middle of things, which is what is tested


class _Handler(BaseHTTPRequestHandler):
    sbi: SbiService

    def _serve(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.sbi.asked.append((self.command, body))
        answer = self.sbi.answer(self.command, body)
        if answer is None:
            self.close_connection = True
            return
        self.wfile.write(answer if isinstance(answer, bytes) else http(answer))

    do_MOSIPDISC = do_MOSIPDINFO = do_RCAPTURE = do_CAPTURE = _serve

    def log_message(self, *args):
        pass


def http(answer: object, status: str = "200 OK", announced: int | None = None, **headers: str) -> bytes:
    """The bytes of an HTTP answer; `announced`: another length than the true one."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if announced is None else announced}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
