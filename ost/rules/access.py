"""Who may do what, where: roles to permissions, each grant scoped to a site, a county or the network.

Nothing by default. There is no police role, and no role that may do everything
(DESIGN.md, promise 7; DOMAIN.md section 3). It does not know accounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

#: Every permission a view or a service may ask for, and what it lets a person do.
PERMISSIONS = MappingProxyType(
    {
        "account.manage": "create accounts, grant roles, reset sign-in",
        "alert.read": "be the clinician a patient's quiet finger tells, set it with them, and read one's own",
        "audit.read": "read the audit chain and who read which record",
        "audit.verify": "run the verification of chains and registers",
        "consent.record": "record what a patient agrees to, and that they take it back",
        "counter.sweep": "close a counter session and settle what is open",
        "counter.unlock": "unlock a colleague who is locked out at a station",
        "counter.use": "work at a dispensing counter",
        "device.evaluate": "evaluate a device, with captures or at a counter's reader",
        "device.evaluation_read": "read evaluations of devices; they name nobody",
        "dose.give": "prepare a dose and record its outcome",
        "dose.observe": "record what was seen after a dose: vomited, drowsy",
        "dose.read": "read doses, decisions and refusals",
        "dose.replace": "order a replacement dose after one was lost",
        "dose.resolve": "settle a dose that was left without an outcome",
        "dose.void": "void a recorded dose, together with a second person",
        "dose.witness": "be the second person of a dose, a void or an outcome",
        "duplicate.review": "look at two records whose prints are alike and decide whether they are one person",
        "emergency.look": "see, for a few minutes, who a stranger at one's own counter is; it is recorded",
        "exposure.clear": "review a person who swallowed what was not meant for them",
        "closure.declare": "declare that a site cannot dose, and send its people elsewhere",
        "closure.read": "see closures, where people were sent, and how far it is done",
        "fee.read": "see what a guest dose costs and who paid",
        "fee.settle": "write down fees and settle a month between sites",
        "guest.accept": "take guests at a site, or say that it cannot",
        "guest.approve": "approve or decline guest dosing of one's own patients, and authorise it beforehand",
        "guest.ask": "ask for guest dosing for a patient who has no phone",
        "guest.coordinate": "see every open request by number and need, and offer other places; no names",
        "guest.countersign": "sign the home orders of a guest, or order in the home prescriber's place",
        "guest.read": "see guest requests of one's own site",
        "guest.settings": "set a site's opening hours, places and rules for guests, and who is on call",
        "hold.place": "place a hold",
        "hold.read": "read holds",
        "hold.release": "release a hold",
        "identify.capture": "ask who a finger, a card or a number belongs to",
        "indicator.read": "read figures without names",
        "message.read": "see messages that could not be delivered",
        "patient.enrol_finger": "enrol or withdraw fingerprints",
        "patient.forget": "destroy the key of a person whose record need no longer be kept",
        "patient.read": "read a patient's record",
        "patient.register": "register a patient and correct personal data",
        "patient.search": "search patients by name or number",
        "policy.approve": "approve a policy value that is weak or open",
        "portal.help": "give a patient a PIN and set up their sign-in, and find a lost number",
        "policy.read": "read policy packs and their sources",
        "prescription.read": "read prescriptions",
        "prescription.write": "write, change and stop a prescription",
        "queue.print": "print the day's list for the hour the power goes",
        "queue.read": "read today's queue",
        "signoff.give": "answer a stop that asks for a prescriber",
        "site.manage": "change a site's data",
        "station.manage": "enrol and revoke counter stations and readers",
        "stock.close": "close an empty or expired bottle",
        "stock.count": "count a bottle",
        "stock.destroy": "destroy residue, together with a second person",
        "stock.open": "open a bottle",
        "stock.read": "read bottles and the register",
        "stock.receive": "receive a bottle",
        "stock.spill": "record a spill",
    }
)

_READS_PATIENTS = {
    "patient.read",
    "patient.search",
    "dose.read",
    "prescription.read",
    "hold.read",
    "queue.read",
}

#: What each role may do within its scope.
ROLES = MappingProxyType(
    {
        "nurse": frozenset(
            _READS_PATIENTS
            | {
                "counter.use",
                "counter.sweep",
                "counter.unlock",
                "identify.capture",
                "consent.record",
                "emergency.look",
                "closure.declare",
                "closure.read",
                "fee.read",
                "guest.read",
                "guest.ask",
                "guest.accept",
                "portal.help",
                "dose.give",
                "dose.observe",
                "dose.resolve",
                "dose.void",
                "dose.witness",
                "hold.place",
                "patient.enrol_finger",
                "policy.read",
                "queue.print",
                "stock.read",
                "stock.open",
                "stock.close",
                "stock.count",
                "stock.spill",
            }
        ),
        "prescriber": frozenset(
            _READS_PATIENTS
            | {
                "prescription.write",
                "consent.record",
                "closure.declare",
                "closure.read",
                "guest.read",
                "guest.ask",
                "guest.approve",
                "guest.countersign",
                "guest.settings",
                "signoff.give",
                "alert.read",
                "indicator.read",
                "hold.place",
                "hold.release",
                "exposure.clear",
                "dose.replace",
                "dose.observe",
                "dose.witness",
                "patient.register",
                "policy.read",
                "policy.approve",
            }
        ),
        # The controlled-drug manager (管制藥品管理人). Reads doses, because each one is a
        # line of the register; does not search patients.
        "pharmacist": frozenset(
            {
                "stock.receive",
                "stock.open",
                "stock.close",
                "stock.count",
                "stock.spill",
                "stock.destroy",
                "stock.read",
                "dose.read",
                "dose.witness",
                "policy.read",
            }
        ),
        "case_manager": frozenset(
            _READS_PATIENTS
            | {
                "patient.register",
                "consent.record",
                "hold.place",
                "policy.read",
                "alert.read",
                "closure.declare",
                "closure.read",
                "fee.read",
                "fee.settle",
                "guest.read",
                "guest.ask",
                "guest.accept",
                "guest.settings",
                "message.read",
                "portal.help",
            }
        ),
        "registrar": frozenset(
            {
                "patient.read",
                "patient.search",
                "patient.register",
                "patient.enrol_finger",
                "identify.capture",
                "consent.record",
                "duplicate.review",
                "portal.help",
            }
        ),
        # Sees two records only where their prints are alike, and nothing else of anybody. For pairs whose homes
        # no registrar has in one scope: granted for a county or the network.
        "duplicate_reviewer": frozenset({"duplicate.review"}),
        # Runs the system and reads no patient: whoever can grant roles must not need them.
        "admin": frozenset(
            {
                "account.manage",
                "station.manage",
                "site.manage",
                "device.evaluate",
                "device.evaluation_read",
                "indicator.read",
                "fee.settle",
                "guest.settings",
                "counter.unlock",
                "policy.read",
                "audit.verify",
                "patient.forget",
            }
        ),
        # The coordination centre (跨區給藥協作中心): sees requests by number and need, never by name.
        "coordinator": frozenset(
            {"guest.coordinate", "closure.declare", "closure.read", "indicator.read", "message.read", "policy.read"}
        ),
        "health_department_reader": frozenset(
            {"device.evaluation_read", "indicator.read", "policy.read", "closure.read"}
        ),
        "auditor": frozenset({"audit.read", "audit.verify", "stock.read", "policy.read"}),
    }
)

SITE, COUNTY, NETWORK = SCOPES = ("site", "county", "network")


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one scope. `scope` is a site code, a county code, or "*" for the network."""

    role: str
    scope_kind: str  # one of SCOPES
    scope: str

    def covers(self, site: str | None, county: str | None) -> bool:
        """Whether the grant reaches this place. No place (None) means the whole network."""
        if self.scope_kind == NETWORK:
            return True
        if self.scope_kind == SITE:
            return site is not None and self.scope == site
        if self.scope_kind == COUNTY:
            return county is not None and self.scope == county
        return False


def permissions_of(role: str) -> frozenset[str]:
    """What a role may do; a role this program does not know may do nothing."""
    return ROLES.get(role, frozenset())


def may(grants: Iterable[Grant], permission: str, site: str | None, county: str | None = None) -> bool:
    """Whether one of the grants allows `permission` at `site`, which lies in `county`.

    `site=None` asks for the whole network (or, with `county`, for a county), and
    only a grant of that reach answers yes. A permission nobody declared is a
    mistake in the caller and raises.
    """
    if permission not in PERMISSIONS:
        raise ValueError(f"undeclared permission {permission!r}")
    return any(permission in permissions_of(grant.role) and grant.covers(site, county) for grant in grants)


def may_somewhere(grants: Iterable[Grant], permission: str) -> bool:
    """Whether any grant allows it anywhere: to show a menu entry, never to open a door."""
    if permission not in PERMISSIONS:
        raise ValueError(f"undeclared permission {permission!r}")
    return any(permission in permissions_of(grant.role) for grant in grants)
