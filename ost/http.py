"""What a route needs: the house, who acts, and the marks that open it.

Every route is shut until it carries a mark: `@allow("permission")` for a
signed-in person who holds it somewhere (the service asks for the site),
`@signed_in` for anybody signed in, `@station_route` for a counter's station
(its signature is checked behind the door), `@patient_route` for a patient at
their own door, `@open_route` for everybody. `ost.gate` reads the marks before
each request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from flask import abort, current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from config.settings import Settings
from ost.rules.access import PERMISSIONS, may_somewhere
from ost.services.portal.sessions import PortalSession
from ost.services.sessions import Session
from ost.services.work import Actor, House

API_PREFIX = "/api/"
#: The patients' own pages. A staff session is not looked up here, and a patient's nowhere else.
PORTAL_PREFIX = "/me"
LANGUAGES = {"zh_Hant_TW": "繁體中文", "en": "English", "zh_Hans_CN": "简体中文"}

_DOORS = "_ost_doors"
OPEN, SIGNED_IN, STATION, PATIENT = "open", "signed_in", "station", "patient"


@dataclass(frozen=True, slots=True)
class Marks:
    """`door`: None (shut), "open", "signed_in", "station", "patient" or a permission.

    `quiet`: no sign of a person's activity. `even_expired`: a form whose token is gone still works.
    """

    door: str | None = None
    quiet: bool = False
    even_locked: bool = False
    even_expired: bool = False


# --- marks --------------------------------------------------------------------


def _mark(view: Callable, **changes) -> Callable:
    setattr(view, _DOORS, replace(getattr(view, _DOORS, Marks()), **changes))
    return view


def allow(permission: str) -> Callable:
    """Open the route to whoever holds `permission` somewhere; services ask for the site."""
    if permission not in PERMISSIONS:
        raise ValueError(f"undeclared permission {permission!r}")
    return lambda view: _mark(view, door=permission)


def signed_in(view: Callable) -> Callable:
    """Open the route to anybody who is signed in: their own language, their own sign-out."""
    return _mark(view, door=SIGNED_IN)


def open_route(view: Callable) -> Callable:
    """Open the route to everybody. The list is short and a test keeps it."""
    return _mark(view, door=OPEN)


def station_route(view: Callable) -> Callable:
    """Open the route to counters' stations: nobody is signed in there, the service checks the station's signature."""
    return _mark(view, door=STATION)


def patient_route(view: Callable) -> Callable:
    """Open the route, below PORTAL_PREFIX only, to a patient whose sign-in is complete, and to their own record.

    The address stands in the telephone's history: like the title it must not say what the place is for.
    """
    return _mark(view, door=PATIENT)


def quiet(view: Callable) -> Callable:
    """A page refreshing itself: it keeps nobody's screen from locking."""
    return _mark(view, quiet=True)


def even_locked(view: Callable) -> Callable:
    """Works while the screen is locked: the PIN page and what it needs."""
    return _mark(view, even_locked=True)


def even_expired(view: Callable) -> Callable:
    """A form that must work with a lost token too, because all it does is leave."""
    return _mark(view, even_expired=True)


def marks_of(view: Callable | None, method: str) -> Marks:
    """The marks of a view function, or of the method of a class-based one. Unmarked means shut."""
    if view is None:
        return Marks()
    view_class = getattr(view, "view_class", None)
    if view_class is None:
        return getattr(view, _DOORS, Marks())
    handler = getattr(view_class, method.lower(), None)
    if handler is None and method == "HEAD":
        handler = getattr(view_class, "get", None)
    return getattr(handler, _DOORS, getattr(view_class, _DOORS, Marks()))


# --- who and where --------------------------------------------------------------


def house() -> House:
    return current_app.extensions["ost"].house


def settings() -> Settings:
    return current_app.extensions["ost"].settings


def session_or_none() -> Session | None:
    """The session of this request, found once by the gate; None when nobody is signed in."""
    return g.get("ost_session")


def session() -> Session:
    found = session_or_none()
    if found is None:
        abort(401)
    return found


def actor() -> Actor:
    """The signed-in person as the services know them."""
    return session().actor()


def portal_session_or_none() -> PortalSession | None:
    """The patient's session of this request, half or whole, at the patients' pages only."""
    return g.get("ost_portal")


def portal_session() -> PortalSession:
    """The patient's complete session; 401 without one."""
    found = portal_session_or_none()
    if found is None or not found.whole:
        abort(401)
    return found


def patient_id() -> str:
    """Whose pages these are. Services of the portal take it from here and never from an address or a form."""
    return portal_session().patient


def site() -> str | None:
    """The site this browser works at, chosen after sign-in."""
    found = session_or_none()
    return found.site if found else None


def holds(permission: str) -> bool:
    """Whether the person holds `permission` somewhere: to show a menu entry, never to open a door."""
    found = session_or_none()
    return found is not None and may_somewhere(found.grants, permission)


def is_api() -> bool:
    return request.path.startswith(API_PREFIX)


def is_portal() -> bool:
    return request.path == PORTAL_PREFIX or request.path.startswith(PORTAL_PREFIX + "/")


def is_fragment() -> bool:
    """A piece of a page was asked for (htmx), not a whole one."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def safe_path(target: str | None) -> str:
    """A path of ours to go to, or "/": never another site, never a control character."""
    if not target:
        return "/"
    parts = urlsplit(target)
    path = parts.path or "/"
    if parts.query:
        path += "?" + parts.query
    own = (not parts.scheme and not parts.netloc) or parts.netloc == request.host
    if not own or not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        return "/"
    return path


def safe_portal_path(target: str | None) -> str:
    """`safe_path` within the patients' pages; PORTAL_PREFIX for anything else."""
    if not target or not target.isprintable():
        return PORTAL_PREFIX
    path = safe_path(target)
    own = path.startswith((PORTAL_PREFIX + "/", PORTAL_PREFIX + "?")) and ".." not in path and "\\" not in path
    return path if own else PORTAL_PREFIX


# --- devices ----------------------------------------------------------------------

STATION_COOKIE = "ost_station"
_STATION_DAYS = 90


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key, salt="ost-station")


def station_cookie(station_id: str) -> str:
    """What a browser keeps once a signed-in person has worked a counter's station in it."""
    return _signer().dumps(station_id)


def device() -> str:
    """Opaque name of where the request comes from: a MAC of the network address, never the address."""
    return house().keys.search_mac("device", request.remote_addr or "")[:32]


def claimed_station() -> str | None:
    """The station this browser belongs to, if its cookie is ours; whether it is enrolled the service asks."""
    value = request.cookies.get(STATION_COOKIE)
    if not value:
        return None
    try:
        return _signer().loads(value, max_age=_STATION_DAYS * 86400)
    except BadSignature:
        return None
