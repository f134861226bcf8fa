"""Settings: read once from the environment, checked, frozen.

Every setting is `OST_...`; the README lists them and a test keeps the list.
Secrets are never settings: keys live in files under `OST_HOME/keys`, made by
`ost init`, readable only by their owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env

ROOT = Path(__file__).resolve().parent.parent
MODES = ("demo", "production")
SMTP_TLS = ("starttls", "tls", "none")
SMS_FORMATS = ("json", "form")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class BadSettings(Exception):
    """A setting is missing or contradicts another; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    mode: str  # OST_MODE: "demo" | "production"
    home: Path  # OST_HOME: database file, keys, heads
    database_url: str  # OST_DATABASE_URL
    policy: str  # OST_POLICY: the country's pack, for what no site decides
    language: str  # OST_LANGUAGE: first language of pages
    threads: int  # OST_THREADS: request threads per process
    processes: int  # OST_PROCESSES: serving processes, always 1 on SQLite
    secure_cookies: bool  # OST_SECURE_COOKIES: cookies only over HTTPS
    trusted_proxies: int  # OST_TRUSTED_PROXIES: how many proxies in front set X-Forwarded-For
    log_level: str  # OST_LOG_LEVEL
    log_json: bool  # OST_LOG_JSON
    backdate_days: int  # OST_BACKDATE_DAYS: how far back `given_at` may lie (downtime entry)
    # How people are told (ost/channels). Empty: not that way. Passwords and tokens are files in the keys folder.
    smtp_host: str = ""  # OST_SMTP_HOST
    smtp_port: int = 587  # OST_SMTP_PORT
    smtp_tls: str = "starttls"  # OST_SMTP_TLS: "starttls" | "tls" | "none", the last on this machine only
    smtp_from: str = ""  # OST_SMTP_FROM: a neutral address, people see it
    smtp_user: str = ""  # OST_SMTP_USER
    sms_url: str = ""  # OST_SMS_URL: the gateway's address for a POST
    sms_format: str = "json"  # OST_SMS_FORMAT: "json" | "form"
    sms_fields: str = "to=to,text=text"  # OST_SMS_FIELDS: what the gateway calls them; also key=
    sms_fixed: str = ""  # OST_SMS_FIXED: fields that are always the same
    sms_id_field: str = "id"  # OST_SMS_ID_FIELD: of the gateway's JSON answer
    sms_knows_keys: bool = False  # OST_SMS_KNOWS_KEYS: the gateway takes the same key once
    line_url: str = ""  # OST_LINE_URL: https://api.line.me/v2/bot/message/push

    @property
    def demo(self) -> bool:
        return self.mode == "demo"

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def heads(self) -> Path:
        return self.home / "heads"


def load_settings(environ: dict | None = None) -> Settings:
    """Read and check; `environ` replaces the process environment in tests."""
    env = Env()
    if environ is not None:
        import os
        from unittest import mock

        with mock.patch.dict(os.environ, environ, clear=True):
            return _read(env)
    return _read(env)


def _read(env: Env) -> Settings:
    mode = env.str("OST_MODE", "production")
    if mode not in MODES:
        raise BadSettings(f"OST_MODE is {mode!r}; it is one of {', '.join(MODES)}")
    home = Path(env.str("OST_HOME", str(ROOT / "var"))).resolve()
    url = env.str("OST_DATABASE_URL", f"sqlite:///{home / 'ost.db'}")
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise BadSettings("OST_DATABASE_URL starts with sqlite:/// or postgresql+psycopg://")
    sqlite = url.startswith("sqlite")
    processes = env.int("OST_PROCESSES", 1 if sqlite else 2)
    if sqlite and processes != 1:
        raise BadSettings("SQLite is served by one process: set OST_PROCESSES=1 or use PostgreSQL")
    settings = Settings(
        mode=mode,
        home=home,
        database_url=url,
        policy=env.str("OST_POLICY", "tw"),
        language=env.str("OST_LANGUAGE", "zh_Hant_TW"),
        threads=env.int("OST_THREADS", 8),
        processes=processes,
        secure_cookies=env.bool("OST_SECURE_COOKIES", mode == "production"),
        trusted_proxies=env.int("OST_TRUSTED_PROXIES", 0),
        log_level=env.str("OST_LOG_LEVEL", "INFO"),
        log_json=env.bool("OST_LOG_JSON", mode == "production"),
        backdate_days=env.int("OST_BACKDATE_DAYS", 3),
        smtp_host=env.str("OST_SMTP_HOST", ""),
        smtp_port=env.int("OST_SMTP_PORT", 587),
        smtp_tls=env.str("OST_SMTP_TLS", "starttls"),
        smtp_from=env.str("OST_SMTP_FROM", ""),
        smtp_user=env.str("OST_SMTP_USER", ""),
        sms_url=env.str("OST_SMS_URL", ""),
        sms_format=env.str("OST_SMS_FORMAT", "json"),
        sms_fields=env.str("OST_SMS_FIELDS", "to=to,text=text"),
        sms_fixed=env.str("OST_SMS_FIXED", ""),
        sms_id_field=env.str("OST_SMS_ID_FIELD", "id"),
        sms_knows_keys=env.bool("OST_SMS_KNOWS_KEYS", False),
        line_url=env.str("OST_LINE_URL", ""),
    )
    _check_channels(settings)
    if settings.mode == "production" and not settings.secure_cookies:
        raise BadSettings("production needs OST_SECURE_COOKIES=true: serve it over HTTPS")
    if not 1 <= settings.threads <= 64 or not 1 <= settings.processes <= 32:
        raise BadSettings("OST_THREADS is 1 to 64, OST_PROCESSES is 1 to 32")
    return settings


def _check_channels(settings: Settings) -> None:
    """What people are told never travels in clear beyond this machine."""
    for name, url in (("OST_SMS_URL", settings.sms_url), ("OST_LINE_URL", settings.line_url)):
        parts = urlsplit(url)
        if not url or (parts.scheme == "https" and parts.hostname):
            continue
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise BadSettings(f"{name} starts with https://")
    if settings.sms_format not in SMS_FORMATS:
        raise BadSettings(f"OST_SMS_FORMAT is one of {', '.join(SMS_FORMATS)}")
    if settings.smtp_tls not in SMTP_TLS:
        raise BadSettings(f"OST_SMTP_TLS is one of {', '.join(SMTP_TLS)}")
    if not settings.smtp_host:
        return
    if settings.smtp_tls == "none" and settings.smtp_host not in LOOPBACK:
        raise BadSettings("OST_SMTP_TLS=none is for a mail server on this machine only")
    local, at, domain = settings.smtp_from.partition("@")
    if not (local and at and domain) or not settings.smtp_from.isascii() or not settings.smtp_from.isprintable():
        raise BadSettings("OST_SMTP_FROM is the address messages come from, such as notice@example.org")
