"""Bottles: receive, open, spill, count, close; and residue, which two persons destroy.

Each act is one transaction under the bottle's lock and leaves a numbered line
of the register (`ost.services.register`). Reading is in `stock_read`. Amounts
are integers: microlitres, or thousandths of a tablet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ost import clock, policies
from ost.errors import Refusal
from ost.models import site as sites
from ost.models.stock import bottle, product
from ost.rules.schedule import format_both
from ost.services import register
from ost.services.access import require
from ost.services.register import LineRef
from ost.services.witness import DESTROY, use_witness
from ost.services.work import Actor, House, Work

#: One bottle, at most: 100 L, or 100,000 tablets. More is a slip of the keyboard.
MOST_UL = 100_000_000
#: A loss is told to the local authority at once and to the food and drug administration
#: within 7 days. [law: 管制藥品管理條例 Art. 27]
LOSS_REPORT_DAYS = 7

SPILL_REASONS = ("dropped", "pump", "leak", "broken", "other")
UNSCANNED_REASONS = ("label_damaged", "scanner_down", "no_scanner")


@dataclass(frozen=True, slots=True)
class Received:
    bottle: str
    line: int
    balance_ul: int
    label: str = field(repr=False)  # what the label's code says


@dataclass(frozen=True, slots=True)
class Counted:
    bottle: str
    line: int
    expected_ul: int
    counted_ul: int
    difference_ul: int
    alert: bool  # beyond what measuring explains: a loss (or a surplus) to be looked into
    report_until: date | None  # last day for the report of a loss


@dataclass(frozen=True, slots=True)
class Destroyed:
    bottle: str
    line: int
    destroyed_ul: int
    balance_ul: int
    second: str


def receive(
    house: House,
    actor: Actor,
    *,
    site_id: str,
    product_id: str,
    lot: str,
    expires_on: date,
    volume_ul: int,
    delivery: str,
    bottle_id: str | None = None,
) -> Received:
    """A sealed bottle enters the register with its first line.

    `delivery`: the delivery note's number. `bottle_id`: the number on the
    bottle, up to 20 characters; without one the next of the site is used.
    """
    require(house, actor, "stock.receive", site_id)
    _check_receive(lot, volume_ul, delivery, bottle_id)
    for attempt in range(5):
        try:
            with house.work(actor, site_id, "stock.received") as work:
                number = bottle_id or _next_bottle(work, site_id, attempt)
                return _receive(work, site_id, product_id, lot, expires_on, volume_ul, delivery, number)
        except IntegrityError:
            # The number was used a moment ago: by hand, that is a mistake; ours takes the next.
            if bottle_id is not None:
                raise Refusal("bottle_exists", fields={"bottle": ["bottle_exists"]}) from None
            if attempt == 4:
                raise
    raise AssertionError("unreachable")


def _receive(work, site_id, product_id, lot, expires_on, volume_ul, delivery, number) -> Received:
    today = today_at(work, site_id)
    if expires_on < today:
        fields = {"expires_on": ["bottle_expired"]}
        raise Refusal("bottle_expired", fields=fields, bottle=number, expires_on=format_both(expires_on))
    if work.tx.execute(sa.select(product.c.id).where(product.c.id == product_id)).scalar() is None:
        raise Refusal("product_unknown", fields={"product": ["product_unknown"]})
    label = label_code(work, number)
    work.add(
        bottle,
        id=number,
        site=site_id,
        product=product_id,
        kind=register.STOCK,
        lot=lot,
        expires_on=expires_on,
        state=register.SEALED,
        opened_at=None,
        counter=None,
        scan_mac=work.keys.search_mac("bottle", label),
        line=0,
        balance_ul=0,
    )
    head = register.lock_bottle(work, number)
    line = register.append_line(
        work, head, kind=register.RECEIVED, change_ul=volume_ul, day=today, reference=delivery
    )
    work.payload |= {"bottle": number, "line": line.line, "product": product_id}
    return Received(number, line.line, line.balance_ul, label)


def open_bottle(
    house: House,
    actor: Actor,
    bottle_id: str,
    *,
    site_id: str,
    counter: str | None = None,
    scanned: str | None = None,
    unscanned_reason: str | None = None,
) -> None:
    """Break the seal, at a counter. The label is scanned, or a coded reason says why not.

    Stops a bottle of another site, an expired or a closed one, and a label that
    belongs to another bottle. Opening an open bottle at the same counter changes nothing.
    """
    require(house, actor, "stock.open", site_id)
    if scanned is None and unscanned_reason not in UNSCANNED_REASONS:
        raise Refusal("bottle_scan_needed", fields={"scanned": ["bottle_scan_needed"]})
    with house.work(actor, site_id, "stock.opened") as work:
        head = _here(work, bottle_id, site_id)
        if scanned is not None and work.keys.search_mac("bottle", scanned.strip()) != head.scan_mac:
            raise Refusal("bottle_other_label", fields={"scanned": ["bottle_other_label"]})
        if head.kind != register.STOCK or head.state == register.SHUT:
            raise Refusal("bottle_closed")
        if head.expires_on < today_at(work, site_id):
            raise Refusal("bottle_expired", bottle=head.id, expires_on=format_both(head.expires_on))
        if counter is not None:
            c = sites.counter
            known = work.tx.execute(sa.select(c.c.id).where(c.c.id == counter, c.c.site == site_id)).scalar()
            if known is None:
                raise Refusal("counter_unknown", fields={"counter": ["counter_unknown"]})
        if head.state == register.OPEN and head.counter == counter:
            return
        work.tx.execute(
            sa.update(bottle)
            .where(bottle.c.id == head.id)
            .values(state=register.OPEN, opened_at=head.opened_at or work.now, counter=counter)
        )
        work.payload |= {
            "bottle": head.id,
            "counter": counter,
            "from": head.state,
            "scanned": scanned is not None,
            "reason": unscanned_reason,
        }


def spill(
    house: House, actor: Actor, bottle_id: str, *, site_id: str, volume_ul: int, reason: str, note: str | None = None
) -> LineRef:
    """Spilt from the bottle itself; what was poured for somebody is spilt through the dose's outcome."""
    require(house, actor, "stock.spill", site_id)
    if reason not in SPILL_REASONS:
        raise Refusal("input_invalid", fields={"reason": ["not_a_choice"]})
    if volume_ul <= 0:
        raise Refusal("input_invalid", fields={"volume": ["amount_positive"]})
    with house.work(actor, site_id, "stock.spilled") as work:
        head = _here(work, bottle_id, site_id)
        line = register.append_line(
            work,
            head,
            kind=register.SPILLED,
            change_ul=-volume_ul,
            day=today_at(work, site_id),
            reason=_said(reason, note),
        )
        work.payload |= {"bottle": line.bottle, "line": line.line}
        return line


def count(
    house: House, actor: Actor, bottle_id: str, *, site_id: str, counted_ul: int, reason: str | None = None
) -> Counted:
    """What is really in the bottle; the difference becomes the line, so that the register stays the stock.

    A difference needs a reason; one beyond the policy's tolerance is marked
    as a loss to be reported.
    """
    require(house, actor, "stock.count", site_id)
    if not 0 <= counted_ul <= MOST_UL:
        raise Refusal("input_invalid", fields={"counted": ["amount_not_understood"]})
    with house.work(actor, site_id, "stock.counted") as work:
        head = _here(work, bottle_id, site_id)
        difference = counted_ul - head.balance_ul
        if difference and not (reason or "").strip():
            raise Refusal(
                "count_reason_needed",
                fields={"reason": ["count_reason_needed"]},
                expected_ul=head.balance_ul,
                counted_ul=counted_ul,
            )
        today = today_at(work, site_id)
        # Tablets are counted exactly; only a liquid loses something to measuring.
        tolerance = 0 if head.unit == "tablet" else _tolerance_ul(work, site_id, today)
        alert = abs(difference) > tolerance
        line = register.append_line(
            work,
            head,
            kind=register.COUNTED,
            change_ul=difference,
            day=today,
            reason=(reason or "").strip()[:200] or None,
            reference="loss" if alert and difference < 0 else None,
            counted_ul=counted_ul,
        )
        work.payload |= {"bottle": line.bottle, "line": line.line, "difference_ul": difference, "alert": alert}
        until = report_until(today) if alert and difference < 0 else None
        return Counted(line.bottle, line.line, head.balance_ul, counted_ul, difference, alert, until)


def close_bottle(house: House, actor: Actor, bottle_id: str, *, site_id: str, reason: str) -> list[LineRef]:
    """Take a bottle out of use. What is left goes to the residue jar, on both registers."""
    require(house, actor, "stock.close", site_id)
    if not reason.strip():
        raise Refusal("input_invalid", fields={"reason": ["field_needed"]})
    with house.work(actor, site_id, "stock.closed") as work:
        head = _here(work, bottle_id, site_id)
        if head.kind != register.STOCK or head.state == register.SHUT:
            raise Refusal("bottle_closed")
        day, why, rest = today_at(work, site_id), reason.strip()[:200], head.balance_ul
        lines: list[LineRef] = []
        at: sa.Row | LineRef = head
        if rest:
            out = register.append_line(
                work, head, kind=register.TO_RESIDUE, change_ul=-rest, day=day, reason=why
            )
            at = out
            lines.append(out)
        closed = register.append_line(work, at, kind=register.CLOSED, change_ul=0, day=day, reason=why)
        lines.append(closed)
        work.tx.execute(
            sa.update(bottle).where(bottle.c.id == head.id).values(state=register.SHUT, counter=None)
        )
        if rest:
            jar = register.residue_jar(work, site_id, head.product)
            lines.append(
                register.append_line(
                    work,
                    jar,
                    kind=register.RESIDUE_IN,
                    change_ul=rest,
                    day=day,
                    reference=f"{lines[0].bottle}/{lines[0].line}",
                    reason=why,
                )
            )
        work.payload |= {"bottle": head.id, "line": closed.line, "rest_ul": rest}
        return lines


def destroy_residue(
    house: House,
    actor: Actor,
    *,
    site_id: str,
    product_id: str,
    volume_ul: int,
    certificate: str,
    method: str,
    witness: str,
) -> Destroyed:
    """Residue poured away by the controlled-drug manager together with a second person, both here.

    `witness`: the second person's one-use token for `destroy_subject(...)`,
    from their own sign-in at this site; the actor's own is refused.
    [law: 管制藥品管理條例 Art. 26; 施行細則 Art. 23]
    """
    require(house, actor, "stock.destroy", site_id)
    fields = {
        name: ["field_needed"]
        for name, text in (("certificate", certificate), ("method", method))
        if not text.strip()
    }
    if volume_ul <= 0:
        fields["volume"] = ["amount_positive"]
    if fields:
        raise Refusal("input_invalid", fields=fields)
    with house.work(actor, site_id, "stock.destroyed") as work:
        if work.tx.execute(sa.select(product.c.id).where(product.c.id == product_id)).scalar() is None:
            raise Refusal("product_unknown", fields={"product": ["product_unknown"]})
        jar = register.residue_jar(work, site_id, product_id)
        if volume_ul > jar.balance_ul:
            raise Refusal("residue_too_little", fields={"volume": ["residue_too_little"]}, balance_ul=jar.balance_ul)
        second = use_witness(
            work, witness, destroy_subject(site_id, product_id), site_id, act=DESTROY, not_account=actor.id
        )
        line = register.append_line(
            work,
            jar,
            kind=register.DESTROYED,
            change_ul=-volume_ul,
            day=today_at(work, site_id),
            reference=certificate.strip()[:80],
            reason=method.strip()[:200],
            second=second,
        )
        work.payload |= {"bottle": line.bottle, "line": line.line, "second": second}
        return Destroyed(line.bottle, line.line, volume_ul, line.balance_ul, second)


def report_until(found_on: date) -> date:
    """Last day for the report of a loss found on that day."""
    return found_on + timedelta(days=LOSS_REPORT_DAYS)


def destroy_subject(site_id: str, product_id: str) -> str:
    """What the second person's token is bound to."""
    return f"bottle:{register.jar_id(site_id, product_id)}"


def label_code(work_or_house: Work | House, bottle_id: str) -> str:
    """What a bottle's label says: its number, and enough of a MAC that nobody makes one up.

    The same each time, so that a torn label can be printed again.
    """
    mark = work_or_house.keys.search_mac("bottle_label", bottle_id)[:10].upper()
    return f"OSTB.{bottle_id}.{mark}"


def today_at(work: Work, site_id: str) -> date:
    """The calendar day now at the site."""
    tz = work.tx.execute(sa.select(sites.site.c.tz).where(sites.site.c.id == site_id)).scalar_one_or_none()
    if tz is None:
        raise Refusal("site_unknown", fields={"site": ["site_unknown"]})
    return clock.dosing_day(work.now, tz)


def _here(work: Work, bottle_id: str, site_id: str) -> sa.Row:
    """The locked bottle; another site's bottle is as unknown as none at all."""
    head = register.lock_bottle(work, bottle_id)
    if head.site != site_id:
        raise Refusal("bottle_unknown")
    return head


def _next_bottle(work: Work, site_id: str, skip: int) -> str:
    """The site's next number; `skip` passes over numbers that somebody typed by hand before."""
    prefix = work.tx.execute(
        sa.select(sites.site.c.number_prefix).where(sites.site.c.id == site_id)
    ).scalar_one()
    stem = f"M{prefix}-"
    held = work.tx.execute(
        sa.select(sa.func.count()).select_from(bottle).where(bottle.c.id.like(stem + "%"))
    ).scalar_one()
    return f"{stem}{held + 1 + skip:05d}"


def _tolerance_ul(work: Work, site_id: str, day: date) -> int:
    name = work.tx.execute(sa.select(sites.site.c.policy).where(sites.site.c.id == site_id)).scalar_one()
    return policies.policy(name).int("count_difference_alert_ul", day)


def _check_receive(lot: str, volume_ul: int, delivery: str, bottle_id: str | None) -> None:
    fields = {}
    if not lot.strip() or len(lot) > 40:
        fields["lot"] = ["field_needed"]
    if not 0 < volume_ul <= MOST_UL:
        fields["volume"] = ["amount_not_understood"]
    if not delivery.strip() or len(delivery) > 80:
        fields["delivery"] = ["field_needed"]
    if bottle_id is not None and not (
        0 < len(bottle_id) <= 20 and all(c.isascii() and (c.isalnum() or c == "-") for c in bottle_id)
    ):
        fields["bottle"] = ["bottle_number_shape"]
    if bottle_id is not None and bottle_id.startswith("R-"):
        fields["bottle"] = ["bottle_number_shape"]  # residue jars are named so
    if fields:
        raise Refusal("input_invalid", fields=fields)


def _said(code: str, note: str | None) -> str:
    return f"{code}: {note.strip()}"[:200] if note and note.strip() else code
