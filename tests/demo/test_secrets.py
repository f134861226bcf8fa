"""Accounts: they work with what the terminal prints; nothing of it is in the tree; the file is its owner's alone."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from ost.demo import codes, secrets_file
from ost.services.sign_in import NotSignedIn, Place, SignedIn, sign_in

ROOT = Path(__file__).resolve().parent.parent.parent


def accounts(demo):
    return {a["username"]: a for a in secrets_file.read(demo.home)["accounts"]}


@pytest.mark.parametrize("name", ["hua.nurse1", "hua.prescriber", "tpe.pharmacist", "hua3.nurse"])
def test_a_printed_code_signs_in_once(demo, name):
    account, now = accounts(demo)[name], demo.house.now()
    code = codes.code(account["totp"], now)
    place = Place("browser")
    first = sign_in(demo.house, name, account["password"], code, place, "page")
    assert isinstance(first, SignedIn)
    again = sign_in(demo.house, name, account["password"], code, place, "page")
    assert isinstance(again, NotSignedIn)


def test_each_main_site_has_everybody_it_needs(demo):
    roles = {}
    for a in accounts(demo).values():
        for place in a["sites"]:
            for role in a["roles"]:
                roles.setdefault(place, []).append(role)
    for main in ("HUA1", "TPE1"):
        assert roles[main].count("nurse") == 2
        assert {"prescriber", "pharmacist", "case_manager"} <= set(roles[main])


def test_the_file_is_readable_by_its_owner_alone(demo, tmp_path):
    assert stat.S_IMODE(secrets_file.path(demo.home).stat().st_mode) == 0o600
    # Replaced in one step, also over an older one.
    secrets_file.write(tmp_path, {"accounts": []})
    secrets_file.write(tmp_path, {"accounts": [1]})
    assert secrets_file.read(tmp_path) == {"accounts": [1]}
    assert [p.name for p in tmp_path.iterdir()] == [secrets_file.NAME]
    with pytest.raises(secrets_file.SecretsMissing):
        secrets_file.read(tmp_path / "elsewhere")


def test_every_load_draws_its_own_secrets(demo):
    from ost.demo import staff

    here = {s for a in accounts(demo).values() for s in (a["password"], a["totp"])}
    assert not here & {s for m in staff.members() for s in (m.password, m.totp)}
    assert len(here) == 2 * len(accounts(demo))


def test_nothing_secret_is_in_the_tree(demo):
    secrets = {s for a in accounts(demo).values() for s in (a["password"], a["totp"])}
    secrets |= set(secrets_file.read(demo.home)["cards"].values())
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix in (".py", ".json", ".toml", ".md", ".html", ".js"):
            text = path.read_text(encoding="utf-8")
            assert not any(secret in text for secret in secrets), name
    assert secrets_file.NAME not in listed
    assert subprocess.run(["git", "check-ignore", "-q", f"var/{secrets_file.NAME}"], cwd=ROOT).returncode == 0


def test_the_database_holds_no_password_and_no_card_in_clear(demo):
    secrets = secrets_file.read(demo.home)
    with demo.house.read() as tx:
        import sqlalchemy as sa

        from ost.models import patient, staff

        text = repr(tx.execute(sa.select(staff.account)).all()) + repr(
            tx.execute(sa.select(patient.patient.c.card_mac)).all()
        )
    assert not any(a[k] in text for a in secrets["accounts"] for k in ("password", "totp"))
    assert not any(card in text for card in secrets["cards"].values())


def test_cards_open_the_right_person(demo):
    import sqlalchemy as sa

    from ost.models import patient

    cards = secrets_file.read(demo.home)["cards"]
    number, card = next(iter(cards.items()))
    mac = demo.house.keys.search_mac("card", card)
    with demo.house.read() as tx:
        found = tx.execute(
            sa.select(patient.patient.c.number).where(patient.patient.c.card_mac == mac)
        ).scalar()
    assert found == number
    assert json.dumps(cards)
