"""Closures as pages and programs show them: what was shown is what is done, a board without names, papers that hold."""

from __future__ import annotations

import base64
import io
import json
import re
from datetime import timedelta

import pypdf
import pytest
import sqlalchemy as sa

from ost.models import audit, closure, guest
from ost.services.closures import roster
from ost.services.closures.undo import undo
from tests.make import make_account
from tests.plugins.clients import Api, assert_error, house_of, sign_in_as
from tests.services.closing import give, make_network

NAME, MASKED = "歐陽菲菲", "歐○○菲"
URL = "/closures"


@pytest.fixture
def house(app):
    return house_of(app)


@pytest.fixture
def net(house, clock):
    net = make_network(house)
    net.person("a", name=NAME)
    net.person("b", name=NAME)
    return net


@pytest.fixture
def centre(pages, net):
    return pages(net.centre)


@pytest.fixture
def nurse(pages, net):
    return pages(net.nurse, site="HUA1")


def text(answer) -> str:
    return answer.get_data(as_text=True)


def form(net, **values) -> dict:
    return {"scope": "sites", "sites": "HUA1", "first": net.today.isoformat(), "reason": "typhoon", **values}


def digest_of(answer) -> str:
    return re.search(r'name="digest" value="([0-9a-f]{64})"', text(answer))[1]


def declared(net, window) -> str:
    shown = window.post(f"{URL}/preview", form(net))
    answer = window.post(URL, form(net, digest=digest_of(shown)))
    assert answer.status_code == 303, text(answer)
    return answer.headers["Location"]


def identities(net) -> list[str]:
    """Everything of a person the centre has no business with."""
    from ost.models.patient import patient

    rows = net.rows(patient)
    return [NAME, MASKED, *net.people.values(), *(r.number for r in rows)]


def test_looked_at_confirmed_followed_and_taken_back(net, nurse):
    assert 'value="HUA1" checked' in text(nurse.get(URL))
    shown = nurse.post(f"{URL}/preview", form(net))
    assert shown.status_code == 200
    assert "would be moved" in text(shown)
    assert net.rows(closure.closure) == []
    board = declared(net, nurse)
    assert "2" in text(nurse.get(board))
    assert sorted(net.where("a", "b")) == ["NEAR", "NEAR"]
    fragment = nurse.fragment(f"{board}/now")
    assert fragment.status_code == 200
    assert "<html" not in text(fragment)
    give(net, "a", "NEAR")
    assert nurse.post(f"{board}/undo").status_code == 303
    again = nurse.post(f"{board}/undo")
    assert again.status_code == 303
    page = text(nurse.get(board))
    assert "Taken back" in page
    assert "hx-get" not in page.split('id="board"')[1][:200]  # nothing moves any more
    assert net.where("a", "b") == ["NEAR", None]


def test_a_preview_that_is_no_longer_true_shows_what_changed_and_can_be_confirmed(net, nurse):
    shown = nurse.post(f"{URL}/preview", form(net))
    give(net, "a", "HUA1")
    answer = nurse.post(URL, form(net, digest=digest_of(shown)))
    assert answer.status_code == 409
    assert "Something changed since you looked" in text(answer)
    assert "no longer due" in text(answer)
    assert net.rows(closure.closure) == []
    assert nurse.post(URL, form(net, digest=digest_of(answer))).status_code == 303


def test_what_is_typed_wrong_comes_back_with_the_form(net, nurse):
    for values, field in (
        ({"first": "no day"}, "first"),
        ({"first": ""}, "first"),
        ({"last": "115/1/1"}, "last"),
        ({"reason": "boredom"}, "reason"),
        ({"from_time": "ten"}, "from_time"),
        ({"sites": ""}, "sites"),
    ):
        answer = nurse.post(f"{URL}/preview", form(net, **values))
        assert answer.status_code == 422, values
        assert f'href="#f-{field}"' in text(answer), values
    far = net.today + timedelta(days=61)
    assert nurse.post(f"{URL}/preview", form(net, first=far.isoformat())).status_code == 422


def test_the_centre_sees_counts_and_request_numbers_and_no_person(net, centre, nurse):
    with net.house.db.begin() as tx:  # one with nowhere to go
        from ost.models.opening import site_hours

        tx.execute(sa.update(site_hours).where(site_hours.c.site.in_(("NEAR", "FAR"))).values(places=0))
    net.person("c", name=NAME)
    with net.house.db.begin() as tx:
        tx.execute(sa.update(site_hours).where(site_hours.c.site == "NEAR").values(places=2))
    shown = centre.post(f"{URL}/preview", form(net))
    board = declared(net, centre)
    pages = [shown, centre.get(URL), centre.get(board), centre.get(f"{board}/now")]
    for page in pages:
        assert not [i for i in identities(net) if i in text(page)]
    [number] = {r.number for r in net.rows(guest.guest_request) if r.patient == net.people["a"]} or {0}
    assert str(number) in text(pages[2])
    # The home site's nurse has somebody to look after, and sees whom.
    from ost.models.patient import patient

    [missed] = [m.patient for m in net.rows(closure.closure_move) if m.to_site is None]
    [row] = net.rows(patient, id=missed)
    assert row.number in text(nurse.get(board))
    api = Api(net.house and centre.app, sign_in_as(centre.app, net.centre, "api"))
    said = text(api.get(f"/api/v1{board}"))
    assert not [i for i in identities(net) if i in said]


def test_who_reads_of_neither_end_is_told_nothing(net, pages, nurse):
    board = declared(net, nurse)
    stranger = pages(make_account(net.house, "nurse", scope="BEYOND"), site="BEYOND")
    for path in (board, f"{board}/now"):
        assert stranger.get(path).status_code == 404
    assert "Closure 1" not in text(stranger.get(URL))
    assert stranger.post(f"{board}/undo").status_code == 403
    assert stranger.post(f"{URL}/preview", form(net)).status_code == 403
    assert stranger.post(f"{board}/roster/NEAR/coming").status_code in (403, 404)
    receiving = pages(make_account(net.house, "nurse", scope="NEAR"), site="NEAR")
    assert receiving.get(board).status_code == 200
    assert receiving.post(f"{board}/undo").status_code == 403
    assert receiving.post(f"{board}/roster/HUA1/leaving").status_code == 403


# --- rosters -------------------------------------------------------------------------------


def accesses(net) -> list:
    return [(r.patient, r.account) for r in net.rows(audit.record_access) if r.page == "closure.roster"]


def paper(window, board: str, site: str, kind: str) -> str:
    answer = window.post(f"{board}/roster/{site}/{kind}")
    assert answer.status_code == 200, text(answer)
    assert answer.content_type == "application/pdf"
    assert "no-store" in answer.headers["Cache-Control"]
    pages_ = pypdf.PdfReader(io.BytesIO(answer.data)).pages
    return "\n".join(page.extract_text() for page in pages_)


def test_the_receiving_sites_paper_has_what_a_nurse_doses_by_and_no_more(net, pages, nurse):
    from ost.models.patient import patient

    board = declared(net, nurse)
    their_nurse = make_account(net.house, "nurse", scope="NEAR")
    said = paper(pages(their_nurse, site="NEAR"), board, "NEAR", "coming")
    for person in net.rows(patient):
        assert person.number in said
    assert "60\u00a0mg" in said or "60 mg" in said
    assert MASKED in said
    assert "mL" not in said.replace("mL are read", "")
    for private in (NAME, "A123456789", "1979"):
        assert private not in said
    assert sorted(accesses(net)) == sorted((p, their_nurse.id) for p in net.people.values())


def test_the_closed_sites_paper_says_where_and_no_dose(net, nurse):
    board = declared(net, nurse)
    said = paper(nurse, board, "HUA1", "leaving")
    assert "Demo Hospital" in said
    assert "mg" not in said
    assert "ethadone" not in said
    assert NAME not in said


def test_the_centre_gets_no_paper(net, centre):
    board = declared(net, centre)
    for site, kind in (("NEAR", "coming"), ("HUA1", "leaving")):
        assert centre.post(f"{board}/roster/{site}/{kind}").status_code == 403
    assert net.rows(closure.closure_roster) == []
    assert accesses(net) == []


@pytest.fixture
def code(net, nurse, app) -> str:
    board = declared(net, nurse)
    made = roster.make(net.house, net.nurse, store(net), board.rpartition("/")[2], "HUA1", roster.LEAVING)
    return made.code


def store(net):
    from ost.services.evaluate_at_station import store_of

    return store_of(net.house)


def test_a_genuine_paper_is_said_to_be_and_shows_its_rows_to_its_end_only(net, nurse, centre, pages, code):
    mine = nurse.post(f"{URL}/roster", {"code": f" {code[:30]}\n{code[30:]} "})
    assert mine.status_code == 200
    assert "Genuine: made and signed here" in text(mine)
    assert MASKED in text(mine)
    read_before = len(accesses(net))
    theirs = centre.post(f"{URL}/roster", {"code": code})
    assert "Genuine: made and signed here" in text(theirs)
    assert not [i for i in identities(net) if i in text(theirs)]
    assert len(accesses(net)) == read_before
    undo(net.house, net.centre, net.rows(closure.closure)[0].id)
    assert "taken back since" in text(nurse.post(f"{URL}/roster", {"code": code}))


def test_an_altered_or_forged_paper_is_told_apart(net, nurse, code):
    mark, made, digest, signature = code.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    other = base64.urlsafe_b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode().rstrip("=")
    swapped = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    for forged in (
        ".".join((mark, made, swapped, signature)),
        ".".join((mark, made[:-1] + ("0" if made[-1] != "0" else "1"), digest, signature)),
        ".".join((mark, made, digest, other)),
    ):
        answer = nurse.post(f"{URL}/roster", {"code": forged})
        assert (answer.status_code, "not signed here" in text(answer)) == (422, True)
    for unreadable in ("", "x", code[:-1], code + "A", code.replace("OSTR1", "OSTR2"), "OSTR1...", code.lower()):
        answer = nurse.post(f"{URL}/roster", {"code": unreadable})
        assert (answer.status_code, "not the code of a roster" in text(answer)) == (422, True), unreadable
    # Signed by this house for another purpose: an evaluation is no roster.
    forged = store(net).sign_text("ost-device-evaluation-1", f"{made}|{digest}")
    shown = base64.urlsafe_b64encode(bytes.fromhex(forged)).decode().rstrip("=")
    assert "not signed here" in text(nurse.post(f"{URL}/roster", {"code": ".".join((mark, made, digest, shown))}))


def test_a_roster_whose_record_was_altered_is_not_shown_as_genuine(net, nurse, code):
    x = closure.closure_roster
    made = code.split(".")[1]
    with net.house.db.begin() as tx:
        tx.execute(sa.text("DROP TRIGGER closure_roster_no_update"))
        row = json.loads(tx.execute(sa.select(x.c.content).where(x.c.id == made)).scalar_one())
        row["rows"][0]["to"] = "BEYOND"
        tx.execute(sa.update(x).where(x.c.id == made).values(content=json.dumps(row)))
    answer = nurse.post(f"{URL}/roster", {"code": code})
    assert (answer.status_code, "not on record" in text(answer)) == (422, True)


def test_more_room_in_an_emergency_is_the_sites_own_to_set(net, pages):
    window = pages(make_account(net.house, "case_manager", scope="NEAR"), site="NEAR")
    assert window.post(f"{URL}/room", {"extra_percent": "50"}).status_code == 303
    [row] = net.rows(closure.closure_room)
    assert (row.site, row.extra_percent) == ("NEAR", 50)
    for wrong in ("-1", "301", "many", "5.5"):
        assert window.post(f"{URL}/room", {"extra_percent": wrong}).status_code == 400
    assert window.post(f"{URL}/room", {"extra_percent": ""}).status_code == 303
    assert net.rows(closure.closure_room) == []
    elsewhere = pages(make_account(net.house, "nurse", scope="NEAR"), site="NEAR")
    assert elsewhere.post(f"{URL}/room", {"extra_percent": "50"}).status_code == 403


def test_a_persons_wish_is_kept_at_their_own_site(net, nurse, pages):
    path = f"{URL}/wish/{net.people['a']}"
    assert "No wish" in text(nurse.get(path))
    assert nurse.post(path, {"site": "FAR", "equipment": "step_free"}).status_code == 303
    [row] = net.rows(closure.patient_wish)
    assert (row.patient, row.site, json.loads(row.equipment)) == (net.people["a"], "FAR", ["step_free"])
    for wrong in ({"site": "NOWHERE"}, {"equipment": "a throne"}):
        assert nurse.post(path, wrong).status_code == 422
    assert nurse.post(path, {"site": ""}).status_code == 303
    assert net.rows(closure.patient_wish) == []
    stranger = pages(make_account(net.house, "nurse", scope="FAR"), site="FAR")
    for answer in (stranger.get(path), stranger.post(path, {"site": "FAR"}), nurse.get(f"{URL}/wish/nobody")):
        assert answer.status_code == 404
    assert net.rows(closure.patient_wish) == []


# --- by program ------------------------------------------------------------------------------


def test_the_same_by_program(net, app):
    api = Api(app, sign_in_as(app, net.centre, "api"))
    wanted = {"sites": ["HUA1"], "days": [net.today.isoformat()], "reason": "typhoon"}
    seen = api.post("/api/v1/closures/preview", wanted)
    assert seen.status_code == 200
    assert (seen.get_json()["moved"], seen.get_json()["why"]) == (2, {"nearest": 2})
    changed = api.post("/api/v1/closures", wanted | {"digest": "0" * 64})
    assert changed.status_code == 409
    assert changed.get_json()["error"]["code"] == "closure_changed"
    assert changed.get_json()["preview"]["digest"] == seen.get_json()["digest"]
    made = api.post("/api/v1/closures", wanted | {"digest": seen.get_json()["digest"]})
    assert made.status_code == 201, made.get_json()
    closure_id = made.get_json()["id"]
    assert [c["id"] for c in api.get("/api/v1/closures").get_json()["closures"]] == [closure_id]
    board = api.get(f"/api/v1/closures/{closure_id}").get_json()
    assert (board["total"]["people"], board["total"]["states"]["expected"]) == (2, 2)
    undone = api.post(f"/api/v1/closures/{closure_id}/undo").get_json()
    assert (undone["taken_back"], undone["again"]) == (2, False)
    assert api.post(f"/api/v1/closures/{closure_id}/undo").get_json()["again"] is True
    stranger = Api(app, sign_in_as(app, make_account(net.house, "nurse", scope="BEYOND"), "api"))
    assert_error(stranger.get(f"/api/v1/closures/{closure_id}"), 404, "closure_unknown")
    assert_error(stranger.post("/api/v1/closures/preview", wanted), 403, "not_permitted")
    assert stranger.get("/api/v1/closures").get_json()["closures"] == []
