"""What goes out with every answer: a strict content policy, no caching of people, the request's number."""

from __future__ import annotations

import secrets
import time

from flask import Flask, Response, current_app, g, request

from ost import metrics
from ost.gate import FILES
from ost.http import is_portal
from ost.log import log

REGULAR = ("agent.HeartbeatView",)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=()",
}


def install(app: Flask) -> None:
    app.jinja_env.globals["csp_nonce"] = nonce
    app.after_request(_after)


def nonce() -> str:
    """For a script that must stand in the page; new with every answer."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return g.csp_nonce


def content_policy() -> str:
    scripts = "'self'" + (f" 'nonce-{g.csp_nonce}'" if "csp_nonce" in g else "")
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    )


def _after(response: Response) -> Response:
    if is_portal():
        # Where a patient was is told to nobody: no address to the next page, none to a search engine.
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Content-Security-Policy"] = content_policy()
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if current_app.config["SESSION_COOKIE_SECURE"]:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.endpoint not in FILES:
        # Any page may show a person; a shared computer's cache must not.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Cookie, Authorization, Accept-Language, HX-Request"
    _note(response)
    return response


def _note(response: Response) -> None:
    took = time.perf_counter() - g.get("started", time.perf_counter())
    metrics.answered(
        request.endpoint, request.method if request.endpoint else "-", response.status_code, took
    )
    if request.endpoint in FILES or (request.endpoint or "").startswith("health."):
        return
    if request.endpoint in REGULAR and response.status_code == 200:
        return  # almost once a second from every station: a line each would bury all others
    # The rule and not the path: a path holds ids.
    rule = request.url_rule.rule if request.url_rule else "-"
    log.info(
        "answered",
        method=request.method if request.url_rule else "-",
        path_rule=rule,
        status=response.status_code,
        ms=round(took * 1000),
        code=g.get("ost_code"),
    )
