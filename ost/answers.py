"""Every "no" in one shape: for programs as JSON, for people as a page or a piece of one.

Nothing of the inside comes out: an unexpected error says only its number,
under which the log has it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import (
    Flask,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from ost import metrics
from ost.errors import Message, Refusal, catalogue
from ost.http import is_api, is_fragment, is_portal, safe_path
from ost.log import log

CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "media_type_unknown",
    422: "input_invalid",
    429: "sign_in_wait",
    503: "database_busy",
}


class _Data(dict):
    """Placeholders of a text; one that is not there is a dash, never a second error."""

    def __missing__(self, key: str) -> str:
        return "–"


def translated(text: str, data: Mapping | None = None) -> str:
    """`text` in the reader's language, with its placeholders filled."""
    return gettext(text) % _Data(data or {}) if text else ""


def say(code: str, data: Mapping | None = None) -> dict[str, str]:
    """{"code", "title", "detail", "action"} of a catalogue code, translated."""
    message = catalogue()[code]
    return {
        "code": code,
        "title": translated(message.title, data),
        "detail": translated(message.detail, data),
        "action": translated(message.action, data),
    }


def error_body(code: str, data: Mapping | None = None, fields: Mapping | None = None) -> dict:
    """The one error shape."""
    return {
        "error": say(code, data) | {"fields": {name: field_texts(v) for name, v in (fields or {}).items()}}
    }


def field_texts(found) -> list[str]:
    """What is wrong with one field: codes of the catalogue become its titles, other texts are translated."""
    texts = [found] if isinstance(found, str) else list(found)
    return [translated(catalogue()[t].title) if t in catalogue() else gettext(str(t)) for t in texts]


def flatten(messages, prefix: str = "") -> dict[str, list[str]]:
    """marshmallow's nested messages as {"seen.dose_ug": [texts]}."""
    if not isinstance(messages, Mapping):
        return {prefix or "_": [str(m) for m in (messages if isinstance(messages, list) else [messages])]}
    flat: dict[str, list[str]] = {}
    for name, inner in messages.items():
        name = "" if name == "_schema" else str(name)
        flat |= flatten(inner, ".".join(part for part in (prefix, name) if part))
    return flat


# --- answers -----------------------------------------------------------------------


def answer(
    code: str, *, data: Mapping | None = None, fields: Mapping | None = None, status: int | None = None
) -> Response:
    """The whole answer for a code: JSON, a page, or a piece of a page."""
    message: Message = catalogue()[code]
    status = status or message.status
    g.ost_code = code
    metrics.refused(code)
    body = error_body(code, data, fields)
    if is_api() or request.accept_mimetypes.best == "application/json":
        response = jsonify(body)
    else:
        response = _for_people(code, body["error"], status)
    if response.status_code == 200:
        response.status_code = status
    if status == 401 and is_api():
        response.headers["WWW-Authenticate"] = "Bearer"
    if data and "seconds" in data:
        response.headers["Retry-After"] = str(data["seconds"])
    return response


def _for_people(code: str, error: dict, status: int) -> Response:
    if is_portal():
        if code == "not_signed_in":
            return redirect(url_for("portal.form", next=_where()))
        return make_response(render_template("portal/error.html", error=error, status=status))
    door = {"not_signed_in": "sign_in.form", "session_locked": "sign_in.locked"}.get(code)
    if door and door in current_app.view_functions:
        return _to_door(url_for(door, next=_where()))
    template = "error_fragment.html" if is_fragment() else "error.html"
    return make_response(render_template(template, error=error, status=status))


def _to_door(url: str) -> Response:
    """To the sign-in or PIN page; htmx follows a header, because it would swap a redirect's page into a corner."""
    if is_fragment():
        return Response(status=401, headers={"HX-Redirect": url})
    return redirect(url)


def _where() -> str:
    """The page to return to: for a piece or a form, the page it stands on."""
    if is_fragment():
        return safe_path(request.headers.get("HX-Current-URL"))
    if request.method != "GET":
        return safe_path(request.referrer)
    return safe_path(request.full_path.rstrip("?"))


# --- handlers ------------------------------------------------------------------------


def install(app: Flask) -> None:
    app.register_error_handler(Refusal, on_refusal)
    app.register_error_handler(CSRFError, lambda _error: answer("form_expired"))
    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(OperationalError, on_database)
    app.register_error_handler(PoolTimeout, on_database)
    app.register_error_handler(Exception, on_unexpected)


def on_refusal(refusal: Refusal) -> Response:
    if refusal.code not in catalogue():
        # A code nobody explained is a mistake of ours, and still a "no".
        log.error("code_without_message", code=refusal.code)
        return answer("internal", data={"request_id": g.get("request_id", "")})
    return answer(refusal.code, data=refusal.data, fields=refusal.fields)


def on_http(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:
        return error.get_response()  # a redirect
    code = CODES.get(error.code, "internal" if (error.code or 500) >= 500 else "bad_request")
    data = getattr(error, "data", None) or {}
    fields = flatten_locations(data.get("messages") or data.get("errors") or {})
    response = answer(code, data={"request_id": g.get("request_id", "")}, fields=fields, status=error.code)
    if error.code == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def flatten_locations(messages: Mapping) -> dict[str, list[str]]:
    """webargs says where it looked first ("json", "query"); the reader does not care."""
    flat: dict[str, list[str]] = {}
    for where, inner in messages.items():
        flat |= flatten(inner) if where in LOCATIONS else flatten({where: inner})
    return flat


LOCATIONS = ("json", "query", "form", "files", "path", "headers", "cookies", "json_or_form")


def on_database(error: Exception) -> Response:
    log.error("database_does_not_answer", error=error)
    return answer("database_busy")


def on_unexpected(error: Exception) -> Response:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return on_database(error)
    if isinstance(error, RecursionError) and request.is_json:
        return answer("bad_request")  # a body nested deeper than anything we read
    log.error("unexpected", error=error)
    return answer("internal", data={"request_id": g.get("request_id", "")})
