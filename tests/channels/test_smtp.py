"""E-mail against real mail servers on this machine: aiosmtpd, and scripted ones that refuse, break off and fall silent."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ost.channels.interface import NotSent, Sent, Unknown
from ost.channels.smtp import Smtp
from tests.channels.far_ends import KEY, outgoing, script, unused_port

SENDER, TO, PASSWORD = "notice@example.org", "someone@example.com", "open sesame"


class Inbox:
    """Takes everything, or answers as told."""

    def __init__(self, rcpt: str = "", data: str = ""):
        self.mails: list = []
        self.rcpt, self.data = rcpt, data

    async def handle_RCPT(self, server, session, envelope, address, options):
        if not self.rcpt:
            envelope.rcpt_tos.append(address)
        return self.rcpt or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if not self.data:
            self.mails.append(envelope)
        return self.data or "250 queued as 12AB"


@pytest.fixture
def serve():
    running = []

    def start(inbox: Inbox, **options) -> int:
        for _ in range(5):  # somebody else may take the port in between
            controller = Controller(inbox, hostname="127.0.0.1", port=unused_port(), **options)
            try:
                controller.start()
            except OSError:
                continue
            running.append(controller)
            return controller.port
        raise AssertionError("no port stayed free")

    yield start
    for controller in running:
        controller.stop()


def smtp(port: int, **options) -> Smtp:
    return Smtp("127.0.0.1", port, **{"sender": SENDER, "tls": "none", "timeout_s": 5} | options)


def mail(**values):
    return outgoing(to=TO, **values)


def test_a_mail_arrives_whole(serve):
    inbox = Inbox()
    ending = smtp(serve(inbox)).send(mail(body="您的預約已確認。\n.\n..two\nlast"))
    assert ending == Sent("queued as 12AB")
    envelope = inbox.mails[0]
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [TO])
    found = message_from_bytes(envelope.content, policy=default)
    assert found["From"] == SENDER and found["To"] == TO
    assert found["Subject"] == "您的預約"
    assert found["Message-ID"] == f"<{KEY}@example.org>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Content-Language"] == "zh-Hant-TW"
    assert found.get_content().splitlines() == ["您的預約已確認。", ".", "..two", "last"]
    assert not found.is_multipart()


@pytest.mark.parametrize(
    ("inbox", "ending"),
    [
        (Inbox(rcpt="550 no such user"), NotSent("refused", permanent=True)),
        (Inbox(rcpt="450 mailbox busy"), NotSent("busy")),
        (Inbox(data="451 try later"), NotSent("busy")),
        (Inbox(data="554 looks like spam"), NotSent("text_refused", permanent=True)),
    ],
)
def test_a_server_that_says_no(serve, inbox, ending):
    assert smtp(serve(inbox)).send(mail()) == ending


HELLO, OK, GO = b"220 hi", b"250 ok", b"354 go on"
SCRIPTS = [
    ((b"554 go away",), NotSent("busy")),
    ((None,), NotSent("no_connection")),
    ((HELLO, OK, b"550 not you"), NotSent("sender_refused")),
    ((HELLO, OK, b"421 closing"), NotSent("busy")),
    ((HELLO, OK, None), NotSent("no_connection")),
    ((HELLO, OK, OK, OK, b"451 no room"), NotSent("busy")),
    ((HELLO, OK, OK, OK, b"554 no texts"), NotSent("text_refused")),
    ((HELLO, OK, OK, OK, None), NotSent("no_connection")),
    # From here on the text is out.
    ((HELLO, OK, OK, OK, GO, None), Unknown("cut_off")),
    ((HELLO, OK, OK, OK, GO), Unknown("no_answer")),
    ((HELLO, OK, OK, OK, GO, b"what?"), Unknown("answer_unclear")),
    ((HELLO, OK, OK, OK, GO, b"250 ok"), Sent("ok")),
]


@pytest.mark.parametrize(("lines", "ending"), SCRIPTS, ids=[str(n) for n in range(len(SCRIPTS))])
def test_every_moment_at_which_a_server_can_break_off(lines, ending):
    with script(*lines) as port:
        assert smtp(port, timeout_s=0.3).send(mail()) == ending


def test_a_server_that_never_greets():
    with script() as port:
        assert smtp(port, timeout_s=0.2).send(mail()) == NotSent("no_answer")


def test_nobody_listens():
    assert smtp(unused_port()).send(mail()) == NotSent("no_connection")


def test_no_mail_in_clear_where_tls_was_set(serve):
    """A line in between that hides STARTTLS gets nothing."""
    inbox = Inbox()
    assert smtp(serve(inbox), tls="starttls").send(mail()) == NotSent("no_tls")
    assert inbox.mails == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(server's context, a client's context that trusts it)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def signed_in(server, session, envelope, mechanism, data):
    right = data.login == b"ost" and data.password == PASSWORD.encode()
    return AuthResult(success=right, handled=right)


def test_starttls_and_a_password(serve, certificate):
    server, trusts = certificate
    inbox = Inbox()
    port = serve(
        inbox, tls_context=server, require_starttls=True, authenticator=signed_in, auth_required=True
    )
    options = {"tls": "starttls", "context": trusts, "user": "ost"}
    assert smtp(port, password="wrong", **options).send(mail()) == NotSent("not_allowed")
    assert inbox.mails == []
    assert isinstance(smtp(port, password=PASSWORD, **options).send(mail()), Sent)
    assert len(inbox.mails) == 1


def test_a_certificate_nobody_signed_gets_no_mail_and_no_password(serve, certificate):
    inbox = Inbox()
    port = serve(inbox, tls_context=certificate[0], require_starttls=True)
    ending = smtp(port, tls="starttls", user="ost", password=PASSWORD).send(mail())
    assert ending == NotSent("certificate")
    assert inbox.mails == []


def test_tls_from_the_first_byte(serve, certificate):
    inbox = Inbox()
    port = serve(inbox, ssl_context=certificate[0])
    assert isinstance(smtp(port, tls="tls", context=certificate[1]).send(mail()), Sent)
    assert smtp(port, tls="tls").send(mail()) == NotSent("certificate")
    assert len(inbox.mails) == 1


def test_an_address_cannot_smuggle_a_header(serve):
    inbox = Inbox()
    channel = smtp(serve(inbox))
    with pytest.raises(ValueError, match=r"."):
        channel._mail(outgoing(to="a@example.org\r\nBcc: b@example.org"))
    channel.send(mail(subject="Your booking"))
    assert b"bcc" not in inbox.mails[0].content.lower()


def test_the_password_is_not_in_its_text():
    assert PASSWORD not in repr(smtp(25, user="ost", password=PASSWORD))
