"""Where a session works: the site's names and zone, its counters, and choosing one."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import sqlalchemy as sa

from ost.errors import Refusal
from ost.models import site as sites
from ost.models import staff, station
from ost.services import sessions
from ost.services.access import may, require, sites_with
from ost.services.counter_session import open_session
from ost.services.stand_ins import SHOWN_FOR, simulated_lately
from ost.services.work import House

_FRESH_S = 30


@dataclass(frozen=True, slots=True)
class SiteFacts:
    id: str
    name_zh_hant: str
    name_zh_hans: str
    name_en: str
    tz: str
    county: str

    def name(self, language: str) -> str:
        return {"en": self.name_en, "zh_Hans_CN": self.name_zh_hans}.get(language, self.name_zh_hant)


@dataclass(frozen=True, slots=True)
class CounterFacts:
    id: str
    site: str
    label: str
    station: str | None
    worked_by: str  # display name of who works it now in another browser, "" = nobody


def site_facts(house: House, site: str) -> SiteFacts | None:
    """Names and zone of a site; kept for half a minute, because every page shows them."""

    def read():
        s = sites.site
        with house.read() as tx:
            row = tx.execute(
                sa.select(s.c.id, s.c.name_zh_hant, s.c.name_zh_hans, s.c.name_en, s.c.tz, s.c.county).where(
                    s.c.id == site
                )
            ).one_or_none()
        return SiteFacts(*row) if row else None

    return _kept(house, ("site_facts", site), read)


def simulated_readers_in_use(house: House) -> bool:
    """Whether any station works with a simulated reader: every page says so."""

    def read():
        st = station.station
        by_a_driver = simulated_lately(st.c.id, house.now() - SHOWN_FOR)
        simulated = sa.or_(st.c.reader_kind == "simulated", by_a_driver)
        query = sa.select(st.c.id).where(simulated, st.c.revoked_at.is_(None)).limit(1)
        with house.read() as tx:
            return tx.execute(query).scalar() is not None

    return _kept(house, ("simulated_readers",), read)


def _kept(house: House, key, read):
    kept = house.memo.get(key)
    if kept and monotonic() - kept[0] < _FRESH_S:
        return kept[1]
    value = read()
    house.memo[key] = (monotonic(), value)
    return value


def working_sites(house: House, session: sessions.Session) -> tuple[SiteFacts, ...]:
    """Active sites where the person holds any role: by site, county or network."""
    actor = session.actor()
    codes = sorted({code for permission in WORK for code in sites_with(house, actor, permission)})
    return tuple(facts for code in codes if (facts := site_facts(house, code)))


def network(house: House) -> tuple[SiteFacts, ...]:
    """Every active site, in order of code: where an order may be dispensed."""

    def read():
        with house.read() as tx:
            rows = tx.execute(sa.select(sites.site.c.id).where(sites.site.c.active).order_by(sites.site.c.id))
            return tuple(rows.scalars())

    return tuple(facts for code in _kept(house, ("network",), read) if (facts := site_facts(house, code)))


#: Any of these makes a site a place of work.
WORK = ("counter.use", "patient.read", "stock.read", "site.manage")


def counters(house: House, session: sessions.Session, site: str) -> tuple[CounterFacts, ...]:
    """Counters of a site, and who works them in another live browser."""
    c, a, s = sites.counter, staff.account, staff.web_session
    live = sa.and_(
        s.c.id == c.c.session, s.c.ended_at.is_(None), s.c.expires_at > house.now(), s.c.id != session.id
    )
    query = (
        sa.select(c.c.id, c.c.site, c.c.label, c.c.station, a.c.display_name)
        .outerjoin(s, live)
        .outerjoin(a, a.c.id == s.c.account)
        .where(c.c.site == site)
        .order_by(c.c.id)
    )
    with house.read() as tx:
        return tuple(CounterFacts(*row[:4], row.display_name or "") for row in tx.execute(query))


def choose(house: House, session: sessions.Session, site: str, counter: str | None) -> str | None:
    """Work at `site`, at a counter or none. The enrolled station of the counter, for the browser to remember.

    Refusal: site_unknown, counter_unknown, not_permitted.
    """
    actor = session.actor()
    facts = site_facts(house, site)
    if facts is None:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    if not any(may(house, actor, permission, site) for permission in WORK):
        raise Refusal("not_permitted")
    if counter is None:
        sessions.place(house, session, site=site, counter=None, station=None)
        return None
    require(house, actor, "counter.use", site)
    found = {each.id: each for each in counters(house, session, site)}.get(counter)
    if found is None:
        raise Refusal("counter_unknown", fields={"counter": ["counter_unknown"]})
    open_session(house, actor, counter, session.id)
    sessions.place(house, session, site=site, counter=counter, station=found.station)
    return _enrolled(house, found.station)


def _enrolled(house: House, station_id: str | None) -> str | None:
    st = station.station
    query = sa.select(st.c.id).where(
        st.c.id == station_id, st.c.enrolled_at.is_not(None), st.c.revoked_at.is_(None)
    )
    with house.read() as tx:
        return tx.execute(query).scalar()
