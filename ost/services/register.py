"""Lines of the controlled-drug register: the one place where a bottle's balance moves.

A line and the head of its bottle are written together, under the bottle's
lock. It knows nothing of why a dose was given; callers own the transaction.

How the sums read, per bottle (all in the product's unit, microlitres or
thousandths of a tablet):

- dispensed + returned lines  = what patients swallowed (negative);
- poured, then spilled        = `returned` (+), then `spilled` (-);
- poured, then not taken      = `returned` (+), then `to_residue` (-) here and
                                `residue_in` (+) on the site's residue jar.

So every microlitre that left without being swallowed has a line that says where
it went (管制藥品管理條例施行細則 Art. 23, 25: day by day, with running balance).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from ost import canonical
from ost.errors import Refusal
from ost.models.stock import bottle, product, register_line
from ost.services.work import Work

RECEIVED, DISPENSED, RETURNED, SPILLED, TO_RESIDUE, RESIDUE_IN, COUNTED, DESTROYED, LOST, CLOSED = KINDS = (
    "received",
    "dispensed",
    "returned",
    "spilled",
    "to_residue",
    "residue_in",
    "counted",
    "destroyed",
    "lost",
    "closed",
)

STOCK, RESIDUE = BOTTLE_KINDS = ("stock", "residue")
SEALED, OPEN, SHUT = STATES = ("sealed", "open", "closed")

#: Where the rest of a poured dose goes; the words of the dose's outcome.
BACK, SPILT, TO_JAR = DISPOSITIONS = ("returned", "spilled", "residue")

#: A jar has no lot of its own and does not expire: it is emptied by destruction.
_NO_EXPIRY = date(9999, 12, 31)

_LOCK = (
    sa.select(bottle, product.c.medicine, product.c.unit, product.c.strength_ug_per_ml)
    .join(product, product.c.id == bottle.c.product)
    .where(bottle.c.id == sa.bindparam("id"))
    .with_for_update(of=bottle)
)
_MOVE_HEAD = (
    sa.update(bottle)
    .where(bottle.c.id == sa.bindparam("b_id"))
    .values(line=sa.bindparam("b_line"), balance_ul=sa.bindparam("b_balance"))
)


@dataclass(frozen=True, slots=True)
class LineRef:
    """A line just written. Stands as the bottle's head for the next line."""

    bottle: str
    line: int
    balance_ul: int
    site: str
    product: str

    @property
    def id(self) -> str:
        return self.bottle


def lock_bottle(work: Work, bottle_id: str) -> sa.Row:
    """The bottle, locked, with its product's medicine, unit and strength.

    After the patients' locks, before the chain. A bottle is locked before the
    residue jar, never the other way round. Refusal("bottle_unknown").
    """
    row = work.tx.execute(_LOCK, {"id": bottle_id}).one_or_none()
    if row is None:
        raise Refusal("bottle_unknown")
    return row


def append_line(
    work: Work,
    head: sa.Row | LineRef,
    *,
    kind: str,
    change_ul: int,
    day: date,
    dose: str | None = None,
    reference: str | None = None,
    reason: str | None = None,
    counted_ul: int | None = None,
    second: str | None = None,
) -> LineRef:
    """Write the next line of a locked bottle: one insert, and one update of its head.

    `head`: what `lock_bottle` or the last `append_line` gave. `change_ul` is
    signed. Refusal("bottle_too_little") when the balance would fall below zero;
    the database refuses that too, and a gap or a wrong sum.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of register line {kind!r}")
    balance = head.balance_ul + change_ul
    if balance < 0:
        raise Refusal("bottle_too_little", balance_ul=head.balance_ul, change_ul=change_ul)
    first = head.line == 0
    line = head.line + 1
    work.add(
        register_line,
        bottle=head.id,
        line=line,
        previous_line=None if first else head.line,
        previous_balance_ul=None if first else head.balance_ul,
        change_ul=change_ul,
        balance_ul=balance,
        kind=kind,
        dose=dose,
        reference=reference,
        reason=reason,
        counted_ul=counted_ul,
        site=head.site,
        day=day,
        by=work.actor.id,
        second=second,
        at=work.now,
    )
    work.tx.execute(_MOVE_HEAD, {"b_id": head.id, "b_line": line, "b_balance": balance})
    return LineRef(head.id, line, balance, head.site, head.product)


def put_back(
    work: Work,
    head: sa.Row | LineRef,
    dose: str,
    rest_ul: int,
    disposition: str,
    day: date,
    *,
    reason: str | None = None,
    second: str | None = None,
) -> list[LineRef]:
    """Say where the part of a poured dose went that nobody swallowed.

    `rest_ul` > 0; `disposition` one of DISPOSITIONS: "returned" was never
    poured (or is still in the pump), "spilled" is on the floor, "residue" goes
    into the jar. Returns the lines in the order written, the jar's among them.
    """
    if rest_ul <= 0:
        raise ValueError("a rest is more than nothing")
    if disposition not in DISPOSITIONS:
        raise ValueError(f"unknown disposition {disposition!r}")
    if disposition == BACK and getattr(head, "state", OPEN) == SHUT:
        # The bottle was emptied into the jar and closed meanwhile; what was still in it for this dose went too.
        disposition = TO_JAR
    common = {"day": day, "dose": dose, "reason": reason, "second": second}
    lines = [append_line(work, head, kind=RETURNED, change_ul=rest_ul, **common)]
    if disposition == SPILT:
        lines.append(append_line(work, lines[-1], kind=SPILLED, change_ul=-rest_ul, **common))
    elif disposition == TO_JAR:
        out = append_line(work, lines[-1], kind=TO_RESIDUE, change_ul=-rest_ul, **common)
        jar = residue_jar(work, head.site, head.product)
        origin = f"{out.bottle}/{out.line}"
        into = append_line(work, jar, kind=RESIDUE_IN, change_ul=rest_ul, reference=origin, **common)
        lines += [out, into]
    return lines


def taken_ul(work: Work, dose: str) -> int:
    """What the register says was swallowed of a dose: dispensed, less what was given back."""
    line = register_line
    taken = work.tx.execute(
        sa.select(sa.func.sum(line.c.change_ul)).where(
            line.c.dose == dose, line.c.kind.in_((DISPENSED, RETURNED))
        )
    ).scalar()
    return -int(taken or 0)


def residue_jar(work: Work, site: str, product_id: str) -> sa.Row:
    """The site's residue jar for one product, made when first needed, locked."""
    jar = jar_id(site, product_id)
    found = work.tx.execute(_LOCK, {"id": jar}).one_or_none()
    if found is not None:
        return found
    values = {
        "id": jar,
        "site": site,
        "product": product_id,
        "kind": RESIDUE,
        "lot": "-",
        "expires_on": _NO_EXPIRY,
        "state": OPEN,
        "opened_at": work.now,
        "scan_mac": work.keys.search_mac("bottle", jar),
        "line": 0,
        "balance_ul": 0,
    }
    if work.tx.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert
    # Two first users at two counters: whoever comes second finds the jar and waits for its lock.
    work.tx.execute(insert(bottle).values(values).on_conflict_do_nothing())
    return work.tx.execute(_LOCK, {"id": jar}).one()


def jar_id(site: str, product_id: str) -> str:
    """The jar's label: one per site and product, at most 40 characters."""
    name = f"R-{site}-{product_id}"
    return name if len(name) <= 40 else f"R-{site}-{canonical.digest(product_id)[:20]}"
