"""The counter's screens from fixtures: a small app to look at, and the fixtures of the page tests.

    python -m tests.web.preview_counter [port]      then /, which lists every screen

No services, no database; every route answers with a picture of a screen.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from flask import Blueprint, Flask, Response, render_template, request
from flask_babel import Babel, gettext

from ost.web import assets, formats
from ost.web import counter_view as cv
from ost.web.shell import Link, Shell
from ost.wording import reason

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 23, 42, 10, tzinfo=UTC)  # 07:42 in Taipei on Sunday
TODAY = date(2026, 11, 22)
TZ = "Asia/Taipei"


def at(minutes: int, seconds: int = 0) -> datetime:
    return NOW - timedelta(minutes=minutes, seconds=seconds)


def _(text: str, **data) -> str:
    return gettext(text, **data)


def queue(**changes) -> cv.QueueView:
    here = (
        cv.QueueRow("p48", "A-0048", "here", arrived_at=at(9), marks=("priority", "guest")),
        cv.QueueRow("p47", "A-0047", "here", arrived_at=at(7), current=changes.pop("current", False)),
        cv.QueueRow("p51", "A-0051", "here", arrived_at=at(5), marks=("pregnant",)),
        cv.QueueRow("p52", "A-0052", "here", arrived_at=at(4)),
        cv.QueueRow("p77", "A-0077", "here", arrived_at=at(2), marks=("lookalike",)),
        cv.QueueRow("p80", "A-0080", "here", arrived_at=at(0)),
    )
    groups = (
        cv.QueueGroup("here", 6, here),
        cv.QueueGroup("expected", 139, tuple(cv.QueueRow(f"e{n}", f"A-{n:04}", "expected") for n in range(101, 141))),
        cv.QueueGroup("done", 71, tuple(cv.QueueRow(f"d{n}", f"A-{n:04}", "done", at=at(n)) for n in range(1, 41))),
        cv.QueueGroup("away", 2, (cv.QueueRow("w1", "A-0061", "away", place="臺北示範醫院"), cv.QueueRow("w2", "A-0062", "away", place="高雄示範醫院"))),
        cv.QueueGroup("held", 2, (cv.QueueRow("h1", "A-0009", "held"), cv.QueueRow("h2", "A-0033", "held"))),
    )
    fields = {"version": "q1", "total": 218, "groups": groups, "seconds_median": 19, "seconds_p95": 31, "open_doses": 1}
    return cv.QueueView(**{**fields, **changes})


def card(**changes) -> cv.PersonCard:
    fields = {
        "patient_id": "p47",
        "number": "A-0047",
        "name": "陳志明",
        "sex": "male",
        "born": date(1979, 5, 3),
        "face_url": "/face/p47.svg",
        "home_site": "臺北示範醫院",
        "guest_day": (2, 5),
        "last_dose_ug": 60_000,
        "last_dose_at": datetime(2026, 11, 20, 23, 55, tzinfo=UTC),
        "change_ug": 0,
        "missed_days": 0,
        "identified_by": "finger",
    }
    return cv.PersonCard(**{**fields, **changes})


def bottle(**changes) -> cv.BottleView:
    return cv.BottleView(**{"id": "M-2231", "lot": "K24-118", "strength_ug_per_ml": 10_000, "left_ul": 412_500} | changes)


def dose(**changes) -> cv.DoseView:
    fields = {
        "dose_id": "11111111-1111-4111-8111-111111111111",
        "medicine": _("Methadone oral liquid"),
        "dose_ug": 60_000,
        "volume_ul": 6_000,
        "ordered_ug": 60_000,
        "bottle": bottle(),
    }
    return cv.DoseView(**{**fields, **changes})


def signs(*chosen) -> cv.CheckView:
    words = {"drowsy": _("Drowsy"), "alcohol": _("Smells of alcohol"), "gait": _("Unsteady"), "other": _("Other sign")}
    return cv.CheckView(signs=tuple(cv.Choice(c, w, c in chosen) for c, w in words.items()))


def hand(**changes) -> cv.HandOver:
    reasons = (
        cv.Choice("worn", _("Finger not readable")),
        cv.Choice("no_print", _("No fingerprint by choice")),
        cv.Choice("reader_down", _("Reader not working")),
        cv.Choice("card_missing", _("Card not here")),
    )
    fields = {
        "promised_at": at(0, 6),
        "undo_until": NOW + timedelta(seconds=4),
        "paths": (cv.IdentityPath("finger"), cv.IdentityPath("card"), cv.IdentityPath("number_face", reasons)),
        "signature_required": True,
    }
    return cv.HandOver(**{**fields, **changes})


def question(code="short_gap") -> cv.ReasonView:
    return cv.ReasonView(
        code,
        cv.REASON,
        _("Only 11 h since the last dose"),
        _("Under 14 h a reason is recorded."),
        _("Choose the reason."),
        choices=(
            cv.Choice("work", _("Work shift")),
            cv.Choice("transport", _("Transport")),
            cv.Choice("hours", _("Opening hours differ")),
        ),
        needs_local_approval=True,
    )


def note() -> cv.ReasonView:
    return cv.ReasonView("guest_day", cv.NOTE, _("Guest day 2 of 5."), _("The home order decides the dose."))


def stop(code="missed_days", **changes) -> cv.ReasonView:
    fields = {
        "code": code,
        "tier": cv.STOP,
        "title": _("4 days without a dose"),
        "detail": _("Last dose 115/11/17. After 4 missed days the usual dose may be too much."),
        "action": _("Send to the prescriber before any dose."),
        "come_back_on": TODAY,
        "call": "林醫師 03-8561825",
        "needs_local_approval": True,
    }
    return cv.ReasonView(**{**fields, **changes})


def away() -> cv.ReasonView:
    texts = reason({"code": "guest_day_elsewhere", "tier": "stop", "data": {"site": None, "number": 2, "days": 5}, "needs_signoff": False, "weak_source": False})
    said = {name: str(texts[name]).replace("–", "臺北示範醫院", 1) for name in ("title", "detail", "action")}
    return cv.ReasonView("guest_day_elsewhere", cv.STOP, **said, call="02-2311-1111")


def open_dose(n=1) -> cv.OpenDose:
    return cv.OpenDose(f"open{n}", f"A-00{20 + n}", _("Methadone oral liquid"), 45_000, 4_500, "ul", date(2026, 11, 21), at(60 * 22 + n), "林護理師")


WAYS = (cv.Way("finger"), cv.Way("card", False, "pin"), cv.Way("number_face", True, "second"), cv.Way("document", True))


def stranger(**values) -> cv.StrangerView:
    return cv.StrangerView("l1", False, **{"name": "王阿明", "face_url": "/face/a.svg", "home_site": "臺北示範醫院", "home_phone": "02-2311-1111", "last_on": date(2026, 11, 21), "last_ug": 60_000, "medicine": _("methadone"), "holds": (_("medical review"),), **values})


def person(name: str) -> cv.PersonView:
    """One of each screen, by name."""
    v = {"version": name}
    given = cv.Toast("done", "A-0046 · 55" + formats.NBSP + "mg", _("swallowed %(at)s", at="07:41:52"), "d46")
    many = (
        stop(),
        stop("clinical_hold", title=_("On hold"), detail=_("Blood test before the next dose."), action=_("Send to the prescriber."), come_back_on=date(2026, 11, 23)),
        stop("bottle_expired", title=_("Bottle M-2231 has expired"), detail=_("It expired on 115/11/20."), action=_("Open another bottle."), come_back_on=None, call=""),
        stop("site_not_allowed", title=_("This order is not for this site"), detail=_("The order names two other sites."), action=_("Ask the home site."), come_back_on=None),
    )
    screens = {
        "idle": lambda: cv.PersonView(**v, ways=WAYS),
        "pin": lambda: cv.PersonView(**v, screen=cv.PIN),
        "pin_again": lambda: cv.PersonView(**v, screen=cv.PIN, pin_again=True),
        "elsewhere": lambda: cv.PersonView(**v, screen=cv.ELSEWHERE, stranger=cv.StrangerView("l1", True, may_ask=True)),
        "elsewhere_consent": lambda: cv.PersonView(**v, screen=cv.ELSEWHERE, stranger=stranger(way="consent", may_ask=True)),
        "elsewhere_emergency": lambda: cv.PersonView(**v, screen=cv.ELSEWHERE, stranger=stranger(way="emergency", sex="male", born=date(1979, 5, 3), number="T-0047", ordered_ug=60_000, until=NOW + timedelta(minutes=15))),
        "idle_done": lambda: cv.PersonView(**v, ways=WAYS, toast=given),
        "idle_notice": lambda: cv.PersonView(**v, ways=WAYS[1:], notice=cv.ReasonView("touch_again", cv.REASON, _("The finger could not be read"), action=_("Dry it and touch again, or use the card."))),
        "choose": lambda: cv.PersonView(**v, screen=cv.CHOOSE, offered=(cv.OfferedFace("p47", "A-0047", "/face/a.svg"), cv.OfferedFace("p77", "A-0077", "/face/b.svg"), cv.OfferedFace("p12", "A-0012", None))),
        "card": lambda: cv.PersonView(**v, screen=cv.CARD, card=card(), dose=dose(), check=signs(), reasons=(note(),)),
        "card_changed": lambda: cv.PersonView(**v, screen=cv.CARD, card=card(change_ug=10_000, missed_days=2, guest_day=None, lookalike="A-0077", marks=("priority", "pregnant"), home_site="花蓮示範醫院", face_url=None), dose=dose(dose_ug=12_500, volume_ul=1_250, ordered_ug=25_000), check=signs()),
        "card_reason": lambda: cv.PersonView(**v, screen=cv.CARD, card=card(), dose=dose(), check=signs(), reasons=(question(), note())),
        "card_reasons": lambda: cv.PersonView(**v, screen=cv.CARD, card=card(), dose=dose(), check=signs(), reasons=(question(), question("late_depot"), note())),
        "card_scan": lambda: cv.PersonView(**v, screen=cv.CARD, card=card(), dose=dose(bottle=bottle(scan_needed=True)), check=signs()),
        "card_guest": lambda: cv.PersonView(**v, screen=cv.CARD, card=card(marks=("priority", "guest"), last_dose_site="臺北示範醫院"), dose=dose(), check=signs()),
        "stopped_away": lambda: cv.PersonView(**v, screen=cv.STOPPED, card=card(home_site="花蓮示範醫院", guest_day=None), dose=dose(), take_back="r1", reasons=(away(),)),
        "stopped": lambda: cv.PersonView(**v, screen=cv.STOPPED, card=card(missed_days=4, guest_day=None), dose=dose(), reasons=(stop(), note())),
        "stopped_many": lambda: cv.PersonView(**v, screen=cv.STOPPED, card=card(missed_days=4), dose=dose(), reasons=(*many, note())),
        "stopped_signs": lambda: cv.PersonView(**v, screen=cv.STOPPED, card=card(), dose=dose(), check=signs("drowsy"), reasons=(stop("intoxicated", title=_("Drowsy"), detail=_("A sign of intoxication was seen."), action=_("Let the person sit down, stay near, call the prescriber.")),)),
        "stopped_done": lambda: cv.PersonView(**v, screen=cv.STOPPED, card=card(last_dose_at=at(30)), dose=dose(), given_dose_id="d1", reasons=(stop("slot_taken", title=_("Already dosed today"), detail="07:12 · 60 mg · 花蓮示範醫院", action=_("Nothing more today."), come_back_on=date(2026, 11, 23)),)),
        "poured": lambda: cv.PersonView(**v, screen=cv.POURED, card=card(), dose=dose(), hand_over=hand()),
        "poured_expired": lambda: cv.PersonView(**v, screen=cv.POURED, card=card(), dose=dose(), hand_over=hand(expired=True, undo_until=None, signature_required=False)),
        "poured_again": lambda: cv.PersonView(**v, screen=cv.POURED, card=card(), dose=dose(), hand_over=hand(try_again=_("The finger was too dry. Breathe on it and touch again."), undo_until=None)),
        "handed": lambda: cv.PersonView(**v, screen=cv.HANDED, card=card(), dose=dose(), hand_over=hand(confirmed_by="finger", good_until=NOW + timedelta(seconds=44), undo_until=None)),
        "handed_signed": lambda: cv.PersonView(**v, screen=cv.HANDED, card=card(), dose=dose(), hand_over=hand(confirmed_by="card", good_until=NOW + timedelta(seconds=44), undo_until=None, signed=True)),
        "mismatch": lambda: cv.PersonView(**v, screen=cv.MISMATCH, card=card(), dose=dose(), hand_over=hand(), other=cv.OtherFace("A-0052", "/face/p52.svg", True)),
        "mismatch_stranger": lambda: cv.PersonView(**v, screen=cv.MISMATCH, card=card(), dose=dose(), hand_over=hand(), other=cv.OtherFace()),
        "emergency": lambda: cv.PersonView(**v, screen=cv.EMERGENCY, emergency=cv.EmergencyView("other_persons_dose", "A-0052", 60_000, at(1), "林醫師", "03-8561825", steps=(_("Stay with the person. Nobody leaves."), _("Call the prescriber now."), _("Drowsy, slow breath, blue lips: ambulance, and naloxone if it is here."), _("Keep the cup and the bottle.")))),
        "open_doses": lambda: cv.PersonView(**v, screen=cv.OPEN_DOSES, open_doses=(open_dose(1), open_dose(2))),
        "sweep": lambda: cv.PersonView(**v, screen=cv.SWEEP, sweep=cv.SweepView((open_dose(1),), 71, 2, bottle(), 3)),
        "sweep_clean": lambda: cv.PersonView(**v, screen=cv.SWEEP, sweep=cv.SweepView((), 218, 2, bottle(), 0)),
    }
    return screens[name]()


SCREENS = (
    "idle", "idle_done", "idle_notice", "elsewhere", "elsewhere_consent", "elsewhere_emergency", "pin", "pin_again", "choose", "card", "card_changed", "card_reason", "card_reasons", "card_scan", "card_guest", "stopped", "stopped_away",
    "stopped_many", "stopped_signs", "stopped_done", "poured", "poured_expired", "poured_again", "handed", "handed_signed",
    "mismatch", "mismatch_stranger", "emergency", "open_doses", "sweep", "sweep_clean",
)  # fmt: skip


def view(name: str) -> cv.CounterView:
    reader = cv.ReaderView("offline", detail=_("The reader is not connected. Work goes on with card and face.")) if name == "idle_notice" else cv.ReaderView("ready", "simulated", simulated=True)
    return cv.CounterView(
        counter_id="HUA1-2",
        counter_label=_("Counter %(n)s", n=2),
        site_name="花蓮示範醫院",
        today=TODAY,
        now=NOW,
        tz=TZ,
        nurse="林護理師",
        queue=queue(current=not name.startswith(("idle", "sweep", "open", "emerg"))),
        reader=reader,
        person=person(name),
        demo_fingers=(
            cv.DemoFinger("p47", "A-0047", "陳○明"),
            cv.DemoFinger("p48", "A-0048", "王○"),
            cv.DemoFinger("wet", _("Wet finger"), _("cannot be read")),
            cv.DemoFinger("wrong", _("Wrong finger"), _("not enrolled")),
            cv.DemoFinger("stranger", _("Stranger"), _("nobody's finger")),
            cv.DemoFinger("unplug", _("Unplug the reader")),
        ),
    )


FACE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 160"><rect width="160" height="160" fill="#cfd8d3"/>
<path d="M20 160c5-40 30-48 60-48s55 8 60 48z" fill="#4b6a70"/><ellipse cx="80" cy="72" rx="36" ry="44" fill="#e2bd98"/>
<path d="M42 66c0-40 20-48 38-48s38 8 38 48c-8-20-20-26-38-26s-30 6-38 26z" fill="#2b2723"/><path d="M66 74h.1M94 74h.1" stroke="#222" stroke-width="7" stroke-linecap="round"/><path d="M68 96c8 6 16 6 24 0" stroke="#8a4a3a" stroke-width="3" fill="none"/></svg>"""


def create_preview() -> Flask:
    app = Flask("preview", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "ost" / "static"))
    app.secret_key = "only to look at"
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = os.environ.get("PREVIEW_TRANSLATIONS", str(ROOT / "ost" / "translations"))
    Babel(app, locale_selector=lambda: request.args.get("lang") or request.cookies.get("lang") or "zh_Hant_TW")
    formats.register(app)
    app.register_blueprint(assets.blueprint)

    @app.after_request
    def strict(response):
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        return response

    @app.context_processor
    def frame():
        lang = request.args.get("lang") or request.cookies.get("lang") or "zh_Hant_TW"
        tag = {"en": "en", "zh_Hans_CN": "zh-Hans-CN"}.get(lang, "zh-Hant-TW")
        return {
            "holds": lambda permission: True,
            "shell": Shell(
                locale=tag,
                theme=request.cookies.get("theme", "auto"),
                site_name="花蓮示範醫院",
                today=TODAY,
                person="林護理師",
                nav=(Link(gettext("Patients"), "/patients"), Link(gettext("Stock"), "/stock")),
                languages=(Link("繁體中文", "?lang=zh_Hant_TW", lang == "zh_Hant_TW"), Link("English", "?lang=en", lang == "en")),
                simulated_reader=True,
                lock_url="/lock",
            )
        }

    @app.get("/face/<name>.svg")
    def face(name):
        return Response(FACE, mimetype="image/svg+xml")

    @app.get("/")
    def index():
        return "<br>".join(f'<a href="/screen/{s}">{s}</a>' for s in SCREENS)

    @app.get("/screen/<name>")
    def screen(name):
        return render_template("counter/page.html", v=view(name), have="")

    counter = Blueprint("counter", __name__, url_prefix="/counter/<counter_id>")

    def nothing(counter_id, **rest):
        return "", 204

    for endpoint in (
        "state", "find", "open_card", "leave", "check", "promise", "undo", "identity", "signature", "outcome", "open_doses",
        "sweep", "page", "patient_side", "resolve", "hold", "observe", "void", "downtime_list", "dismiss", "bottle", "pin", "identify", "emergency_form", "take_back",
    ):  # fmt: skip
        counter.add_url_rule(f"/{endpoint}", endpoint, nothing, methods=["GET", "POST"])
    for endpoint, key in (("outcome_form", "kind"), ("resolve_form", "dose_id"), ("after_form", "dose_id"), ("hold_form", "patient_id")):
        counter.add_url_rule(f"/{endpoint}/<{key}>", endpoint, nothing, methods=["GET", "POST"])
    app.register_blueprint(counter)
    app.add_url_rule("/counter/<counter_id>/walk-in", "guest_ask.walk_in_form", nothing)
    app.add_url_rule("/demo/progress", "demo_progress.fragment", lambda: ("", 204))
    app.add_url_rule("/counter/<counter_id>/demo-reader", "demo_reader.touch", nothing, methods=["POST"])
    return app


if __name__ == "__main__":
    create_preview().run(port=int(sys.argv[1]) if len(sys.argv) > 1 else 5055, threaded=True)
