"""Packs: they lint clean, resolve, stay put, and a loosened law is caught."""

import copy
import tomllib
from datetime import date

import pytest

from ost import policies
from ost.rules.policy import Policy, PolicyError, diff
from ost.rules.policy_keys import KEYS, TYPES
from ost.rules.policy_lint import lint
from ost.rules.policy_packs import resolve
from tests.rules.makers import BASE, TODAY, TW

BASE_PACK, TW_PACK = policies.packs()["base"], policies.packs()["tw"]


def edited(pack, key, **changes):
    """A copy of the pack with one row changed; None takes a field away."""
    copied = copy.deepcopy(dict(pack))
    row = copied["values"].setdefault(key, copy.deepcopy(BASE_PACK["values"].get(key, {})))
    for name, value in changes.items():
        if value is None:
            row.pop(name, None)
        else:
            row[name] = value
    return copied


def problems(pack, parent=None):
    return {(p.key, p.code) for p in lint(pack, parent)}


@pytest.mark.parametrize("name", policies.available())
def test_the_packs_lint_clean_and_resolve(name):
    assert policies.lint_pack(name) == []
    policy = policies.policy(name)
    assert {v.key for v in policy.values} == KEYS.keys()
    assert all(key.type in TYPES for key in KEYS.values())


def test_both_packs_are_there():
    assert set(policies.available()) >= {"base", "tw"}


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("methadone_first_dose_usual_ug", 20_000, "weak"),
        ("methadone_first_dose_max_ug", 30_000, "weak"),
        ("methadone_first_dose_low_tolerance_ug", 15_000, "weak"),
        ("methadone_first_day_max_ug", 30_000, "weak"),
        ("methadone_step_max_ug", 10_000, "weak"),
        ("methadone_step_min_days", 3, "weak"),
        ("methadone_week_increase_max_ug", 20_000, "weak"),
        ("methadone_second_look_above_ug", 120_000, "weak"),
        ("buprenorphine_first_day_max_ug", 8_000, "weak"),
        ("tolerance_swallow_percent", 50, "weak"),
        ("gap_reason_under_hours", 14, "weak"),
        ("gap_signoff_under_hours", 8, "weak"),
        ("missed_days_early", 2, "weak"),
        ("recent_increase_days", 7, "weak"),
        ("episode_gap_days", 14, "law"),
        ("signature_required", True, "law"),
        ("controlled_register_years", 5, "law"),
        ("medical_record_years", 7, "law"),
        ("vomit_minutes", 60, "open"),
    ],
)
def test_taiwans_numbers_and_their_marks_are_those_of_the_page(key, value, status):
    found = TW.value(key, TODAY)
    assert (found.value, found.status) == (value, status)


def test_settings_of_the_design():
    keys = ("capture_challenge_s", "handover_identity_valid_s", "outcome_witness_after_minutes", "undo_s")
    assert [TW.int(key) for key in keys] == [60, 60, 15, 10]
    assert TW.list("hold_reasons_never_blocking", TODAY) == ("fee_unpaid",)


class TestReading:
    def test_a_dated_value_needs_a_day(self):
        with pytest.raises(PolicyError, match="ask for a day"):
            TW.int("vomit_minutes")

    def test_an_undeclared_key_and_a_wrong_type(self):
        with pytest.raises(PolicyError, match="undeclared"):
            TW.value("first_dose", TODAY)
        with pytest.raises(PolicyError, match="not bool"):
            TW.bool("undo_s")

    def test_dates(self):
        pack = copy.deepcopy(dict(TW_PACK))
        row = pack["values"]["episode_gap_days"]
        pack["values"]["episode_gap_days"] = [
            row | {"effective_to": date(2026, 12, 31)},
            row | {"value": 10, "effective_from": date(2027, 1, 1)},
        ]
        policy = resolve({"base": BASE_PACK, "tw": pack}, "tw")
        days = (date(2026, 12, 31), date(2027, 1, 1), date(1990, 1, 1))
        assert [policy.int("episode_gap_days", d) for d in days] == [14, 10, 14]

    def test_nothing_can_be_changed(self):
        with pytest.raises(AttributeError):
            TW.name = "x"
        with pytest.raises(AttributeError):
            TW.values[0].value = 1
        with pytest.raises(TypeError):
            TW.steps("methadone_missed_day_steps", TODAY)[0]["from_days"] = 9


class TestDigest:
    def test_it_is_the_contents_and_not_the_order_of_the_file(self):
        turned = dict(TW_PACK) | {"values": dict(reversed(TW_PACK["values"].items()))}
        assert resolve({"base": BASE_PACK, "tw": turned}, "tw").digest == TW.digest
        assert TW.text.startswith("policy tw\n")
        assert resolve(policies.packs(), "tw") == TW

    def test_any_change_shows(self):
        changed = edited(TW_PACK, "episode_gap_days", source="hearsay")
        policy = resolve({"base": BASE_PACK, "tw": changed}, "tw")
        assert policy.digest != TW.digest
        assert [d.key for d in diff(TW, policy)] == ["episode_gap_days"]
        key = "episode_gap_days"
        assert policy.value(key, TODAY).digest != TW.value(key, TODAY).digest
        assert policy.value("vomit_minutes", TODAY).digest == TW.value("vomit_minutes", TODAY).digest

    def test_diff_of_the_two_packs_is_what_tw_holds(self):
        assert {d.key for d in diff(BASE, TW)} <= TW_PACK["values"].keys()
        assert diff(TW, TW) == ()

    def test_approval_takes_a_value_off_the_list(self):
        value = TW.value("vomit_minutes", TODAY)
        assert value in TW.unapproved(TODAY)
        assert value not in TW.unapproved(TODAY, frozenset({value.digest}))
        assert TW.value("episode_gap_days", TODAY) not in TW.unapproved(TODAY)


class TestLint:
    KEY = "methadone_first_dose_max_ug"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"source": None}, "missing_source"),
            ({"source": "  "}, "missing_source"),
            ({"unit": None}, "missing_unit"),
            ({"unit": "mg"}, "wrong_unit"),
            ({"enforcement": "hope"}, "unknown_enforcement"),
            ({"enforcement": None}, "unknown_enforcement"),
            ({"status": "sure"}, "unknown_status"),
            ({"value": None}, "missing_value"),
            ({"value": 30.0}, "wrong_type"),
            ({"value": True}, "wrong_type"),
            ({"value": -1}, "wrong_type"),
            ({"override_by": ["police"]}, "unknown_role"),
            ({"enforcement": "signoff"}, "nobody_can_sign_off"),
            ({"colour": "red"}, "unknown_field"),
            ({"effective_from": "2026"}, "wrong_date"),
            ({"effective_from": date(2026, 1, 1)}, "gap_in_dates"),
            ({"effective_from": date(2026, 1, 2), "effective_to": date(2026, 1, 1)}, "ends_before_it_begins"),
        ],
        ids=str,
    )
    def test_a_bad_row_is_named(self, changes, code):
        assert (self.KEY, code) in problems(edited(BASE_PACK, self.KEY, **changes))

    def test_unknown_and_missing_keys(self):
        assert ("surprise", "unknown_key") in problems(edited(BASE_PACK, "surprise", value=1))
        less = copy.deepcopy(dict(BASE_PACK))
        del less["values"][self.KEY]
        assert (self.KEY, "missing_key") in problems(less)

    def test_a_pack_without_name_or_values(self):
        assert {("", "missing_name"), ("", "missing_values")} <= problems({})
        assert ("", "wrong_parent") in problems(dict(TW_PACK) | {"extends": "us"}, BASE)

    def test_overlapping_dates(self):
        row = BASE_PACK["values"][self.KEY]
        pack = copy.deepcopy(dict(BASE_PACK))
        pack["values"][self.KEY] = [
            row | {"effective_to": date(2027, 1, 1)},
            row | {"effective_from": date(2027, 1, 1)},
        ]
        assert problems(pack) == {(self.KEY, "overlapping_dates")}
        pack["values"][self.KEY][1]["effective_from"] = date(2027, 1, 3)
        assert problems(pack) == {(self.KEY, "gap_in_dates")}

    def test_a_setting_has_no_dates(self):
        pack = edited(BASE_PACK, "undo_s", effective_from=date(2026, 1, 1))
        assert ("undo_s", "dated_setting") in problems(pack)

    @pytest.mark.parametrize(
        ("key", "changes"),
        [
            ("episode_gap_days", {"value": 15}),
            ("signature_required", {"value": False}),
            ("controlled_register_years", {"value": 4}),
            ("controlled_register_years", {"enforcement": "note"}),
        ],
    )
    def test_a_law_is_not_loosened_by_a_pack_on_top(self, key, changes):
        child = {"name": "county", "extends": "tw", "values": {key: dict(TW_PACK["values"][key]) | changes}}
        assert (key, "looser_than_law") in problems(child, TW)

    def test_a_law_may_be_tightened(self):
        row = dict(TW_PACK["values"]["controlled_register_years"]) | {"value": 10}
        child = {"name": "county", "extends": "tw", "values": {"controlled_register_years": row}}
        assert problems(child, TW) == set()

    def test_law_is_no_licence_to_loosen_base(self):
        pack = edited(TW_PACK, "methadone_first_dose_max_ug", value=50_000, status="law")
        assert ("methadone_first_dose_max_ug", "law_looser_than_base") in problems(pack, BASE)

    @pytest.mark.parametrize(
        ("rows", "code"),
        [
            ([], "wrong_type"),
            ([{"from_days": 2, "act": "note", "enforcement": "note"}], "steps_out_of_order"),
            ([{"from_days": 1, "act": "pray", "enforcement": "note"}], "unknown_act"),
            ([{"from_days": 1, "act": "note", "enforcement": "note"}], "step_not_safe"),
            ([{"from_days": 1, "act": "half", "enforcement": "note"}], "step_not_safe"),
            ([{"from_days": 1, "act": "half_capped", "enforcement": "signoff"}], "wrong_cap"),
            ([{"from_days": 1, "act": "new_induction", "enforcement": "signoff"}], "step_not_safe"),
            ([{"from_days": 1, "act": "half", "enforcement": "signoff", "x": 1}], "unknown_field"),
        ],
        ids=str,
    )
    def test_missed_day_tables(self, rows, code):
        key = "methadone_missed_day_steps"
        assert (key, code) in problems(edited(BASE_PACK, key, value=rows))

    def test_a_pack_with_problems_decides_nothing(self):
        bad = edited(BASE_PACK, self.KEY, source=None)
        with pytest.raises(PolicyError, match="missing_source"):
            resolve({"base": bad}, "base")

    def test_circles_and_strangers(self):
        with pytest.raises(PolicyError, match="extends itself"):
            resolve({"a": {"name": "a", "extends": "b"}, "b": {"name": "b", "extends": "a"}}, "a")
        with pytest.raises(PolicyError, match="no policy"):
            resolve({}, "atlantis")


class TestFiles:
    def test_a_broken_or_misnamed_file_is_named(self, tmp_path):
        broken = tmp_path / "xx.toml"
        broken.write_text("name = ")
        with pytest.raises(PolicyError, match=r"xx\.toml"):
            policies.load_pack(broken)
        broken.write_text('name = "yy"')
        with pytest.raises(PolicyError, match="must be 'xx'"):
            policies.load_pack(broken)

    def test_unknown_names(self):
        with pytest.raises(PolicyError):
            policies.policy("atlantis")
        with pytest.raises(PolicyError):
            policies.lint_pack("atlantis")

    def test_every_clinical_number_in_the_files_has_a_source(self):
        for path in policies.FOLDER.glob("*.toml"):
            rows = tomllib.loads(path.read_text(encoding="utf-8"))["values"]
            assert all(len(row["source"]) > 10 for row in rows.values()), path.name


def test_an_empty_policy_gives_nothing():
    with pytest.raises(PolicyError, match="has no"):
        Policy("empty", ()).int("undo_s")
