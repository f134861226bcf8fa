"""How a dose ends: once, with a witness when late, and the register says where every drop went."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from ost.errors import Refusal
from ost.models import dose, station, stock
from ost.rules import facts as f
from ost.services import amend
from ost.services.outcome import Ending, end
from ost.services.promise import Identity
from ost.services.verify import verify
from ost.services.work import new_id
from tests.make import give, make_account, make_clinic, make_patient, make_prescription, make_witness

ANY = timedelta(0)


@pytest.fixture
def clinic(house, clock):
    return make_clinic(house)


@pytest.fixture
def promised(house, clinic):
    return give(house, clinic).dose_id


def lines(house, dose_id: str) -> list[tuple[str, str, int]]:
    line = stock.register_line
    with house.read() as tx:
        found = tx.execute(
            sa.select(line).where(line.c.dose == dose_id).order_by(line.c.at, line.c.bottle, line.c.line)
        )
        return [("jar" if r.bottle.startswith("R-") else "bottle", r.kind, r.change_ul) for r in found]


def code_of(refused) -> str:
    return refused.value.code


@pytest.mark.parametrize(
    ("outcome", "swallowed_ug", "disposition", "expected_ug", "after"),
    [
        ("swallowed", None, None, 60_000, []),
        (
            "partly",
            20_000,
            "residue",
            20_000,
            [("returned", 4000), ("to_residue", -4000), ("residue_in", 4000)],
        ),
        ("partly", 59_999, "spilled", 59_999, [("returned", 1), ("spilled", -1)]),
        ("not_given", None, "returned", 0, [("returned", 6000)]),
        ("not_given", 0, "residue", 0, [("returned", 6000), ("to_residue", -6000), ("residue_in", 6000)]),
        (
            "spat_out",
            None,
            "residue",
            None,
            [("returned", 6000), ("to_residue", -6000), ("residue_in", 6000)],
        ),
        ("spat_out", 10_000, "spilled", 10_000, [("returned", 5000), ("spilled", -5000)]),
        ("swallowed_by_other", None, None, 0, []),
        ("too_much", 90_000, None, 90_000, [("dispensed", -3000)]),
    ],
)
def test_each_outcome_and_its_lines(
    house, clinic, promised, outcome, swallowed_ug, disposition, expected_ug, after
):
    ended = end(
        house,
        clinic.nurse,
        Ending(promised, outcome, swallowed_ug=swallowed_ug, disposition=disposition, reason="x"),
    )
    assert ended.swallowed_ug == expected_ug
    written = sorted((kind, ul) for _, kind, ul in lines(house, promised))
    assert written == sorted([("dispensed", -6000), *after])
    assert ended.emergency == (outcome in (f.BY_OTHER, f.TOO_MUCH))
    assert ended.slot_free == (outcome == "not_given")
    assert verify(house).passed


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ({"outcome": "swallowed", "swallowed_ug": 30_000}, "swallowed_is_not_the_dose"),
        ({"outcome": "partly"}, "partly_needs_amount"),
        ({"outcome": "partly", "swallowed_ug": 60_000, "disposition": "spilled"}, "partly_needs_amount"),
        ({"outcome": "partly", "swallowed_ug": 30_000}, "disposition_needed"),
        ({"outcome": "partly", "swallowed_ug": 30_000, "disposition": "returned"}, "returned_after_pouring"),
        ({"outcome": "not_given", "swallowed_ug": 5, "disposition": "returned"}, "not_given_is_nothing"),
        ({"outcome": "too_much", "swallowed_ug": 60_000}, "too_much_needs_amount"),
        ({"outcome": "swallowed", "disposition": "spilled"}, "nothing_left_over"),
        ({"outcome": "vanished"}, "outcome_unknown"),
    ],
)
def test_impossible_endings_change_nothing(house, clinic, promised, ending, code):
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, Ending(promised, **ending))
    assert code_of(refused) == code
    assert lines(house, promised) == [("bottle", "dispensed", -6000)]
    assert verify(house).passed


def test_the_same_ending_twice_is_one_and_another_is_refused(house, clinic, promised):
    first = end(house, clinic.nurse, Ending(promised, "swallowed"))
    again = end(house, clinic.nurse, Ending(promised, "swallowed"))
    assert again.again and not first.again
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, Ending(promised, "not_given", disposition="returned"))
    assert code_of(refused) == "outcome_already_recorded"
    assert lines(house, promised) == [("bottle", "dispensed", -6000)]


def test_after_fifteen_minutes_a_second_person_is_needed(house, clinic, promised, clock):
    clock.shift(timedelta(minutes=15, seconds=1))
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, Ending(promised, "swallowed"))
    assert code_of(refused) == "witness_needed"
    own = make_witness(house, clinic.nurse, promised)
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, Ending(promised, "swallowed", witness=own))
    assert code_of(refused) == "witness_is_you"
    for_another_dose = make_witness(house, clinic.second, "another-dose")
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, Ending(promised, "swallowed", witness=for_another_dose))
    assert code_of(refused) == "witness_invalid"
    token = make_witness(house, clinic.second, promised)
    end(house, clinic.nurse, Ending(promised, "swallowed", witness=token))
    with house.read() as tx:
        kept = tx.execute(sa.select(dose.dose_outcome).where(dose.dose_outcome.c.attempt == promised)).one()
    assert kept.witness == clinic.second.id


def test_given_time_and_entry_time_are_apart(house, clinic, promised, clock):
    clock.shift(timedelta(minutes=5))
    swallowed_at = house.now() - timedelta(minutes=3)
    end(house, clinic.nurse, Ending(promised, "swallowed", given_at=swallowed_at))
    with house.read() as tx:
        kept = tx.execute(sa.select(dose.dose_outcome).where(dose.dose_outcome.c.attempt == promised)).one()
    assert kept.given_at == swallowed_at and kept.entered_at == house.now()


@pytest.mark.parametrize("shift", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_dose_is_not_given_before_it_was_prepared_nor_in_the_future(house, clinic, promised, shift):
    with pytest.raises(Refusal) as refused:
        end(house, clinic.nurse, Ending(promised, "swallowed", given_at=house.now() + shift))
    assert code_of(refused) == "given_at_impossible"


def test_missing_identity_and_signature_are_flags_not_refusals(house, clinic, promised):
    ended = end(house, clinic.nurse, Ending(promised, "swallowed"))
    assert set(ended.flags) == {"identity_not_confirmed_at_hand_over", "signature_missing"}


def test_a_face_confirmed_at_hand_over_and_a_signature_leave_no_flag(house, clinic, promised):
    amend.sign(house, clinic.nurse, promised, b"M0 0L10 10")
    ended = end(house, clinic.nurse, Ending(promised, "swallowed", identity=Identity("number_face")))
    assert ended.flags == ()
    with house.read() as tx:
        sealed = tx.execute(sa.select(dose.signature.c.strokes_sealed)).scalar_one()
    assert b"M0 0L10" not in bytes(sealed)


@pytest.mark.parametrize(("age", "counts"), [(59, True), (61, False)])
def test_evidence_counts_for_sixty_seconds(house, clinic, promised, clock, age, counts):
    clock.shift(timedelta(seconds=5))
    with house.work(clinic.nurse, clinic.site, "test.evidence") as work:
        work.add(
            station.identity_evidence,
            id=new_id(),
            patient=clinic.patient,
            site=clinic.site,
            purpose="hand_over",
            path="card",
            dose=promised,
            at=work.now,
        )
    clock.shift(timedelta(seconds=age))
    ended = end(house, clinic.nurse, Ending(promised, "swallowed"))
    assert ("identity_not_confirmed_at_hand_over" not in ended.flags) == counts


def test_not_given_frees_the_slot_and_the_next_attempt_replaces_it(house, clinic, promised):
    end(house, clinic.nurse, Ending(promised, "not_given", disposition="returned", reason="undo"))
    second = give(house, clinic)
    assert second.state == "promised"
    with house.read() as tx:
        row = tx.execute(sa.select(dose.dose_attempt).where(dose.dose_attempt.c.id == second.dose_id)).one()
    assert row.replaces == promised
    end(
        house,
        clinic.nurse,
        Ending(second.dose_id, "not_given", disposition="residue", reason="refused by patient"),
    )
    third = give(house, clinic)
    assert third.state == "promised"
    assert verify(house).passed


def test_a_replaced_attempt_can_be_replaced_once_only(house, clinic, promised):
    end(house, clinic.nurse, Ending(promised, "not_given", disposition="returned"))
    second = give(house, clinic)
    with house.read() as tx:
        row = tx.execute(sa.select(dose.dose_attempt).where(dose.dose_attempt.c.id == second.dose_id)).one()
    with pytest.raises(IntegrityError), house.db.begin() as tx:
        tx.execute(sa.insert(dose.dose_attempt), {**row._mapping, "id": new_id()})


def test_an_open_dose_blocks_its_slot_today_and_is_weighed_tomorrow(house, clinic, promised, clock):
    assert give(house, clinic).state == "refused"
    clock.shift(timedelta(days=1))
    tomorrow = give(house, clinic)
    # Not stranded by a forgotten tap: one day may be missing, which changes nothing but is shown.
    assert tomorrow.state == "promised"
    assert "unresolved_earlier" in {r["code"] for r in tomorrow.reasons}


def test_a_dose_swallowed_by_another_blocks_the_drinkers_own_slot(house, clinic, promised):
    drinker = make_patient(house)
    make_prescription(house, drinker, elsewhere_on=house.now().date() - timedelta(days=1))
    ended = end(house, clinic.nurse, Ending(promised, "swallowed_by_other", drinker=drinker))
    assert ended.emergency
    theirs = give(house, clinic, patient_id=drinker)
    assert "exposure_uncleared" in {r["code"] for r in theirs.reasons}
    with house.read() as tx:
        exposure = tx.execute(sa.select(dose.exposure)).one()
    assert (exposure.patient, exposure.amount_ug) == (drinker, 60_000)
    amend.review_exposure(house, clinic.prescriber, exposure.id)
    again = give(house, clinic, patient_id=drinker)
    assert "exposure_uncleared" not in {r["code"] for r in again.reasons}


def test_more_than_ordered_blocks_the_next_day_until_a_prescriber_has_looked(house, clinic, promised, clock):
    end(house, clinic.nurse, Ending(promised, "too_much", swallowed_ug=110_000))
    clock.shift(timedelta(days=1))
    assert "exposure_uncleared" in {r["code"] for r in give(house, clinic).reasons}


def test_too_much_from_an_almost_empty_bottle_is_recorded_and_flagged(house, clinic):
    from tests.make import make_bottle

    bottle = make_bottle(house, volume_ul=7_000)
    given = give(house, clinic, bottle=bottle)
    ended = end(house, clinic.nurse, Ending(given.dose_id, "too_much", swallowed_ug=90_000))
    assert "register_below_what_was_given" in ended.flags
    assert verify(house).passed


def test_a_vomited_dose_is_observed_and_only_a_prescriber_orders_another(house, clinic, promised):
    with pytest.raises(Refusal) as refused:
        amend.observe(house, clinic.nurse, promised, "vomited")
    assert code_of(refused) == "outcome_needed_first"
    end(house, clinic.nurse, Ending(promised, "swallowed"))
    amend.observe(house, clinic.nurse, promised, "vomited", minutes_after=10)
    assert give(house, clinic).state == "refused"
    with pytest.raises(Refusal) as refused:
        amend.order_replacement(house, clinic.nurse, promised, reason="vomited")
    assert code_of(refused) == "not_permitted"
    amend.order_replacement(house, clinic.prescriber, promised, reason="vomited", dose_ug=30_000)
    second = give(house, clinic, seen_dose_ug=30_000, seen_volume_ul=3_000)
    assert (second.state, second.dose_ug) == ("promised", 30_000)
    with pytest.raises(Refusal) as refused:
        amend.order_replacement(house, clinic.prescriber, promised, reason="again")
    assert code_of(refused) == "slot_already_free"
    assert verify(house).passed


def test_a_void_keeps_the_record_and_frees_nothing(house, clinic, promised):
    end(house, clinic.nurse, Ending(promised, "swallowed"))
    token = make_witness(house, clinic.second, promised)
    amend.void(house, clinic.nurse, promised, reason="entered_twice", witness=token)
    assert give(house, clinic).state == "refused"
    assert lines(house, promised) == [("bottle", "dispensed", -6000)]
    with pytest.raises(Refusal) as refused:
        amend.void(
            house,
            clinic.nurse,
            promised,
            reason="again",
            witness=make_witness(house, clinic.second, promised),
        )
    assert code_of(refused) == "already_void"


def test_a_void_found_not_taken_needs_two_and_frees_the_slot(house, clinic, promised):
    end(house, clinic.nurse, Ending(promised, "swallowed"))
    with pytest.raises(Refusal) as refused:
        amend.void(house, clinic.nurse, promised, reason="not_taken", witness="nonsense", not_taken=True)
    assert code_of(refused) == "witness_invalid"
    token = make_witness(house, clinic.second, promised)
    amend.void(
        house,
        clinic.nurse,
        promised,
        reason="not_taken",
        witness=token,
        not_taken=True,
        disposition="residue",
    )
    assert give(house, clinic).state == "promised"
    assert verify(house).passed


def test_a_witness_is_not_burned_by_a_step_that_fails(house, clinic, promised):
    token = make_witness(house, clinic.second, promised)
    with pytest.raises(Refusal):
        end(
            house,
            clinic.nurse,
            Ending(promised, "partly", swallowed_ug=1, disposition="returned", witness=token),
        )
    end(house, clinic.nurse, Ending(promised, "swallowed", witness=token))


def test_a_colleague_of_another_site_may_not_end_it(house, clinic, promised):
    other = make_account(house, "nurse", scope="TPE9")
    with pytest.raises(Refusal) as refused:
        end(house, other, Ending(promised, "swallowed"))
    assert code_of(refused) == "not_permitted"


def test_no_name_reaches_a_record_table_or_an_audit_event(house, clinic, promised):
    end(house, clinic.nurse, Ending(promised, "swallowed"))
    from ost.models import metadata

    with house.read() as tx:
        for table in metadata.tables.values():
            for row in tx.execute(sa.select(table)):
                for value in row:
                    text = value.decode("utf-8", "ignore") if isinstance(value, bytes) else str(value)
                    assert "陳大明" not in text and "A123456789" not in text, table.name


def test_records_refuse_update_and_delete(house, clinic, promised):
    for statement in (
        "UPDATE dose_attempt SET dose_ug = 1",
        "DELETE FROM dose_attempt",
        "UPDATE register_line SET balance_ul = 1",
        "DELETE FROM audit_event",
    ):
        with pytest.raises(DBAPIError), house.db.begin() as tx:
            tx.execute(sa.text(statement))


def test_flags_are_kept_as_codes(house, clinic, promised):
    end(house, clinic.nurse, Ending(promised, "swallowed"))
    with house.read() as tx:
        kept = tx.execute(
            sa.select(dose.dose_outcome.c.flags).where(dose.dose_outcome.c.attempt == promised)
        ).scalar()
    assert json.loads(kept) == ["identity_not_confirmed_at_hand_over", "signature_missing"]
