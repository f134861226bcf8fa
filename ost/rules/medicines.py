"""Which medicines share one set of dosing rules. Doses and limits are in the policy packs."""

from __future__ import annotations

from types import MappingProxyType

METHADONE, BUPRENORPHINE = FAMILIES = ("methadone", "buprenorphine")

#: medicine -> the family whose policy keys (`methadone_...`) hold for it
FAMILY_OF = MappingProxyType(
    {
        "methadone": METHADONE,
        "buprenorphine": BUPRENORPHINE,
        "buprenorphine_naloxone": BUPRENORPHINE,
    }
)


def family(medicine: str) -> str:
    """The family of a medicine; one without rules here is a family of its own."""
    return FAMILY_OF.get(medicine, medicine)
