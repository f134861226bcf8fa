"""One POST over HTTP with its three endings told apart: what the connection did before and after the body went out.

No redirects, no proxies, no retries of its own: each of them could send a message twice.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ost.channels.deadline import deadline
from ost.channels.interface import NotSent, Unknown

CONNECT_S = 10
ANSWER_S = 20
#: Of an answer; nothing longer is of use.
MOST_BYTES = 65_536
#: The longest a far end may keep us from trying again.
MOST_RETRY_AFTER_S = 3600


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, connect_s: float = CONNECT_S, answer_s: float = ANSWER_S
) -> Answer | NotSent | Unknown:
    """Post `body`. NotSent: no connection was made. Unknown: the connection broke or fell silent afterwards.

    The status line is the far end's word: what is lost of the rest of its answer changes nothing.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname, port, timeout=connect_s, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, port, timeout=connect_s)
    try:
        try:
            connection.connect()
            connection.sock.settimeout(answer_s)
        except ssl.SSLCertVerificationError:
            return NotSent("certificate")
        except TimeoutError:
            return NotSent("no_answer")
        except (OSError, socket.gaierror):
            return NotSent("no_connection")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with deadline(connection.sock, 2 * answer_s):
                connection.request("POST", path, body=body, headers=dict(headers))
                answer = connection.getresponse()
                taken = answer.read(MOST_BYTES)
        except TimeoutError:
            return Unknown("no_answer")
        except (OSError, http.client.HTTPException):
            return Unknown("cut_off")
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, taken)
    finally:
        connection.close()


def retry_after_s(answer: Answer) -> int | None:
    """Seconds the far end asks for; a date is not worth a parser here, the back-off does."""
    text = answer.headers.get("retry-after", "").strip()
    return min(int(text), MOST_RETRY_AFTER_S) if text.isascii() and text.isdecimal() and len(text) < 7 else None


def refused(answer: Answer) -> NotSent | Unknown:
    """What an answer that is no success means for the message.

    429 and 503 are said before anything was done with it; any other 5xx and 408 may come after it went on its way.
    """
    if answer.status in (429, 503):
        return NotSent("busy", retry_after_s=retry_after_s(answer))
    if answer.status == 408 or answer.status >= 500:
        return Unknown("far_end_failed")
    if answer.status in (401, 403):
        return NotSent("not_allowed")  # our token, not their address
    if answer.status < 400:
        return Unknown("answer_unclear")
    return NotSent("refused", permanent=True)
