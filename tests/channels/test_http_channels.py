"""Text messages and LINE against far ends on this machine: every ending is the right one of the three."""

from __future__ import annotations

import json
import threading
from urllib.parse import parse_qs

import pytest

from ost.channels.interface import BadChannel, NotSent, Sent, Unknown
from ost.channels.line import Line
from ost.channels.sms_http import SmsHttp
from tests.channels.far_ends import (
    KEY,
    drips,
    gateway,
    half_an_answer,
    hangs_up,
    no_http,
    outgoing,
    says,
    silent,
    unused_port,
)

TOKEN = "t0ken-of-the-gateway"
FAST = {"connect_s": 5, "answer_s": 0.2}

MAKE = {"sms": lambda url: SmsHttp(url, TOKEN, **FAST), "line": lambda url: Line(url, TOKEN, **FAST)}


@pytest.fixture(params=MAKE)
def make(request):
    return MAKE[request.param]


ANSWERS = [
    (says(400), NotSent("refused", permanent=True)),
    (says(404), NotSent("refused", permanent=True)),
    (says(401), NotSent("not_allowed")),
    (says(403), NotSent("not_allowed")),
    (says(429), NotSent("busy")),
    (says(429, Retry_After="120"), NotSent("busy", retry_after_s=120)),
    (says(503, Retry_After="99999"), NotSent("busy", retry_after_s=3600)),
    (says(503, Retry_After="soon"), NotSent("busy")),
    (says(429, Retry_After="-5"), NotSent("busy")),
    (says(500), Unknown("far_end_failed")),
    (says(502), Unknown("far_end_failed")),
    (says(408), Unknown("far_end_failed")),
    (says(302, Location="http://127.0.0.1:1/elsewhere"), Unknown("answer_unclear")),
    (hangs_up, Unknown("cut_off")),
    (half_an_answer, Unknown("cut_off")),
    (no_http, Unknown("cut_off")),
]


@pytest.mark.parametrize(("answer", "ending"), ANSWERS, ids=[str(n) for n in range(len(ANSWERS))])
def test_endings(make, answer, ending):
    with gateway(answer) as far:
        assert make(far.url).send(outgoing()) == ending
        assert len(far.seen) == 1


def test_nobody_listens(make):
    assert make(f"http://127.0.0.1:{unused_port()}/").send(outgoing()) == NotSent("no_connection")


def test_no_such_host(make):
    assert make("http://gateway.invalid/").send(outgoing()) == NotSent("no_connection")


@pytest.mark.parametrize("kind", [silent, drips])
def test_silence_after_the_text_is_not_a_no(make, kind):
    release = threading.Event()
    with gateway(kind(release)) as far:
        ending = make(far.url).send(outgoing())
        release.set()
    assert isinstance(ending, Unknown)
    assert len(far.seen) == 1


def test_a_certificate_nobody_signed_is_no_way(make):
    """Nothing goes out before the far end has shown who it is."""
    with gateway(says(200)) as far:
        ending = make(far.url.replace("http://", "https://")).send(outgoing())
    assert isinstance(ending, NotSent) and not ending.permanent
    assert far.seen == []


def test_a_text_message_as_json():
    with gateway(says(202, {"message_id": 4711})) as far:
        channel = SmsHttp(
            far.url,
            TOKEN,
            fields={"to": "dest", "text": "body", "key": "ref"},
            fixed={"from": "NOTICE"},
            id_field="message_id",
            knows_keys=True,
        )
        assert channel.send(outgoing()) == Sent("4711")
    path, headers, body = far.seen[0]
    assert path == "/send?x=1"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(body) == {"dest": "+886912345678", "body": outgoing().body, "ref": KEY, "from": "NOTICE"}


def test_a_text_message_as_a_form():
    with gateway(says(200, b"OK 12")) as far:
        channel = SmsHttp(far.url, TOKEN, form=True, fields={"to": "dstaddr", "text": "smbody"})
        assert channel.send(outgoing(body="a&b=c 中")) == Sent(None)
    _, headers, body = far.seen[0]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {"dstaddr": ["+886912345678"], "smbody": ["a&b=c 中"]}


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"{", b'{"id": null}', b'{"id": {"a": 1}}', b"\xff"])
def test_an_answer_without_a_number_is_a_success_all_the_same(body):
    with gateway(says(200, body)) as far:
        assert SmsHttp(far.url, TOKEN).send(outgoing()) == Sent(None)


def test_fields_that_cannot_work_are_said_at_the_start():
    for fields in ({"to": "a"}, {"text": "a"}, {"to": "a", "text": "b", "name": "c"}):
        with pytest.raises(BadChannel):
            SmsHttp("http://127.0.0.1/", TOKEN, fields=fields)
    with pytest.raises(BadChannel):
        SmsHttp("http://127.0.0.1/", TOKEN, knows_keys=True)


def test_line_as_its_documentation_says():
    to = "U" + "0" * 32
    with gateway(says(200, {"sentMessages": []}, X_Line_Request_Id="req-1")) as far:
        assert Line(far.url, TOKEN).send(outgoing(to=to)) == Sent("req-1")
    _, headers, body = far.seen[0]
    assert headers["X-Line-Retry-Key"] == KEY
    assert json.loads(body) == {"to": to, "messages": [{"type": "text", "text": outgoing().body}]}


def test_line_says_that_it_has_the_message_already():
    """409 with the number of the request that was accepted: the try before, whose answer got lost, arrived."""
    with gateway(says(409, X_Line_Accepted_Request_Id="req-0")) as far:
        assert Line(far.url, TOKEN).send(outgoing()) == Sent("req-0")
    with gateway(says(409)) as far:
        assert Line(far.url, TOKEN).send(outgoing()) == NotSent("refused", permanent=True)


def test_what_a_channel_holds_is_not_in_its_text():
    for channel in (SmsHttp("http://127.0.0.1/", TOKEN), Line("http://127.0.0.1/", TOKEN)):
        assert TOKEN not in repr(channel)
    assert "912345678" not in repr(outgoing()) and "預約" not in repr(outgoing())
