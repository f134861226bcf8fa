"""Which channels are set, from settings and key files; what cannot work is said in one sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from config.settings import BadSettings, load_settings
from ost import channels
from ost.channels.interface import BadChannel, Sent
from ost.channels.page import DemoPage
from tests.channels.far_ends import KEY, outgoing

PRODUCTION = {"OST_MODE": "production", "OST_SECURE_COOKIES": "true"}
ALL = {
    "OST_SMTP_HOST": "mail.example.org",
    "OST_SMTP_FROM": "notice@example.org",
    "OST_SMTP_USER": "ost",
    "OST_SMS_URL": "https://sms.example.org/send",
    "OST_LINE_URL": "https://api.line.me/v2/bot/message/push",
}


@pytest.fixture
def load(tmp_path):
    (tmp_path / "keys").mkdir()
    return lambda **more: load_settings(PRODUCTION | {"OST_HOME": str(tmp_path)} | more)


def keep(settings, name: str, text: str = "t0ken\n", mode: int = 0o600) -> None:
    path = settings.keys / channels.SECRETS[name]
    path.write_text(text)
    path.chmod(mode)


def test_nothing_set_reaches_nobody(load):
    assert channels.open_channels(load()) == ()
    assert [(name, ok) for name, ok, _, _ in channels.described(load())] == [
        ("smtp", True),
        ("sms", True),
        ("line", True),
    ]


def test_all_set(load):
    settings = load(**ALL)
    for name in channels.SECRETS:
        keep(settings, name)
    opened = channels.open_channels(settings)
    assert [c.name for c in opened] == ["smtp", "sms", "line"]
    assert {kind for c in opened for kind in c.serves} == {"sms", "email", "line"}
    assert all(ok and text == "set" for _, ok, text, _ in channels.described(settings))


@pytest.mark.parametrize("name", channels.SECRETS)
def test_a_missing_open_or_empty_secret_is_said(load, name):
    settings = load(**ALL)
    for each in channels.SECRETS:
        keep(settings, each)
    path = settings.keys / channels.SECRETS[name]
    for spoil in (lambda: path.unlink(), lambda: keep(settings, name, "x", 0o644), lambda: keep(settings, name, " \n")):
        keep(settings, name)
        spoil()
        with pytest.raises(BadChannel, match=r"\.secret"):
            channels.open_channels(settings)
        found = {n: (ok, todo) for n, ok, _, todo in channels.described(settings)}
        assert found.pop(name)[0] is False
        assert all(ok for ok, _ in found.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"OST_SMS_URL": "http://sms.example.org/send"},
        {"OST_SMS_URL": "ftp://sms.example.org/send"},
        {"OST_LINE_URL": "http://api.line.me/"},
        {"OST_LINE_URL": "https://"},
        {"OST_SMS_FORMAT": "xml"},
        {"OST_SMTP_TLS": "maybe"},
        {"OST_SMTP_HOST": "mail.example.org", "OST_SMTP_FROM": "notice@example.org", "OST_SMTP_TLS": "none"},
        {"OST_SMTP_HOST": "mail.example.org"},
        {"OST_SMTP_HOST": "mail.example.org", "OST_SMTP_FROM": "a@b\r\nBcc: c@d"},
    ],
)
def test_settings_that_would_speak_in_clear_are_refused_at_the_start(load, wrong):
    with pytest.raises(BadSettings):
        load(**wrong)


@pytest.mark.parametrize("fields", ["to", "to=a", "to=a,text=", "to=a,text=b,other=c"])
def test_fields_of_a_gateway_that_cannot_work(load, fields):
    settings = load(OST_SMS_URL="https://sms.example.org/", OST_SMS_FIELDS=fields)
    keep(settings, "sms")
    with pytest.raises(BadChannel):
        channels.open_channels(settings)


def test_in_the_demo_nothing_leaves_the_machine(load):
    settings = replace(load(**ALL), mode="demo")
    assert [type(c) for c in channels.open_channels(settings)] == [DemoPage]


def test_the_demo_page_keeps_what_would_have_been_sent_once(tmp_path):
    page = DemoPage(tmp_path)
    assert page.shown() == []
    assert page.send(outgoing()) == page.send(outgoing()) == Sent("page")
    page.send(outgoing(key=KEY[:-1] + "2", to="a@example.org"))
    assert [(s.to, s.channel) for s in page.shown()] == [("a@example.org", "email"), ("+886912345678", "sms")]
    assert page.path.stat().st_mode & 0o077 == 0
    lines = [json.dumps({**json.loads(page.path.read_text().splitlines()[0]), "key": str(n)}) for n in range(700)]
    page.path.write_text("\n".join(lines) + "\n")
    page.send(outgoing())
    assert len(page.shown()) == 500 and page.shown()[0].key == KEY
