"""What every page's frame shows: plain data, no database.

`ost.web` fills it in once per request and hands it to the templates as
`shell`; `templates/layout.html` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Shell:
    locale: str = "zh-Hant-TW"  # BCP 47, for <html lang>
    theme: str = "auto"  # "auto" | "light" | "dark", from the cookie of that name
    site_name: str = ""
    today: date | None = None
    person: str = ""  # who is signed in, "" = nobody
    role: str = ""
    nav: tuple[Link, ...] = ()
    languages: tuple[Link, ...] = ()
    lock_url: str = ""
    sign_out_url: str = ""  # POST
    simulated_reader: bool = False  # a banner on every page
    demo: bool = False  # people and stock are invented: a banner on every page
