"""Nothing by default; each grant only where it reaches."""

import pytest

from ost.rules.access import PERMISSIONS, ROLES, Grant, may, may_somewhere

NURSE = [Grant("nurse", "site", "HUA1")]


def test_nobody_is_let_in_by_default():
    assert not any(may([], permission, "HUA1", "HUA") for permission in PERMISSIONS)


def test_an_unknown_role_or_scope_may_do_nothing():
    assert not may([Grant("police", "network", "*")], "patient.read", "HUA1")
    assert not may([Grant("nurse", "planet", "*")], "dose.give", "HUA1")
    assert "police" not in ROLES


def test_a_permission_nobody_declared_is_a_mistake():
    with pytest.raises(ValueError, match="undeclared"):
        may(NURSE, "dose.gives", "HUA1")
    with pytest.raises(ValueError, match="undeclared"):
        may_somewhere(NURSE, "dose.gives")


def test_roles_hold_declared_permissions_and_none_holds_all():
    for role, permissions in ROLES.items():
        assert permissions <= PERMISSIONS.keys(), role
        assert permissions < PERMISSIONS.keys(), role
    assert PERMISSIONS.keys() == set().union(*ROLES.values())


@pytest.mark.parametrize(
    ("grant", "site", "county", "expected"),
    [
        (Grant("nurse", "site", "HUA1"), "HUA1", "HUA", True),
        (Grant("nurse", "site", "HUA1"), "HUA2", "HUA", False),
        (Grant("nurse", "site", "HUA1"), None, None, False),
        (Grant("nurse", "site", "HUA"), None, "HUA", False),
        (Grant("nurse", "county", "HUA"), "HUA2", "HUA", True),
        (Grant("nurse", "county", "HUA"), "HUA2", None, False),
        (Grant("nurse", "county", "HUA"), "TPE1", "TPE", False),
        (Grant("nurse", "county", "HUA"), None, "HUA", True),
        (Grant("nurse", "network", "*"), "TPE1", "TPE", True),
        (Grant("nurse", "network", "*"), None, None, True),
    ],
)
def test_scopes(grant, site, county, expected):
    assert may([grant], "dose.give", site, county) is expected


#: Separations of duty that must not slip: role, permission it must not have.
@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("nurse", "prescription.write"),
        ("nurse", "signoff.give"),
        ("nurse", "hold.release"),
        ("nurse", "stock.receive"),
        ("nurse", "stock.destroy"),
        ("prescriber", "dose.give"),
        ("pharmacist", "dose.give"),
        ("pharmacist", "patient.read"),
        ("case_manager", "dose.give"),
        ("registrar", "dose.read"),
        ("admin", "patient.read"),
        ("admin", "dose.give"),
        ("admin", "audit.read"),
        ("health_department_reader", "patient.read"),
        ("auditor", "patient.read"),
    ],
)
def test_separation_of_duties(role, permission):
    assert permission not in ROLES[role]


def test_two_grants_add_up_only_where_each_reaches():
    grants = [Grant("nurse", "site", "HUA1"), Grant("prescriber", "site", "HUA2")]
    assert may(grants, "prescription.write", "HUA2")
    assert not may(grants, "prescription.write", "HUA1")
    assert may_somewhere(grants, "prescription.write")
