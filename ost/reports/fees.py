"""A settlement between two sites as XLSX, ODS and HTML (of which ost.reports.evaluation makes the PDF), and a receipt.

Plain data in, bytes out. Texts go into a sheet as texts, and what a spreadsheet might take for a formula is quoted:
a file is opened by people who trust it. Names nobody.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import xlsxwriter
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from odf.dc import Date as OdsDate
from odf.opendocument import OpenDocumentSpreadsheet
from odf.style import Style, TableColumnProperties, TextProperties
from odf.table import Table, TableCell, TableColumn, TableRow
from odf.text import P

from ost.errors import N_
from ost.reports.words import Words

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"
TZ = "Asia/Taipei"
#: What a spreadsheet may run when a text begins with it.
RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")

ITEMS = {"set_up": N_("set-up"), "per_dose": N_("each day"), "countersign": N_("signature")}
NOT_PUBLISHED = N_("not published")


@dataclass(frozen=True, slots=True)
class Sheet:
    """`rows`: cells are texts, whole numbers, dates or None; `numbers`: which columns hold NT$, summed in `totals`."""

    title: str
    facts: tuple[tuple[str, str | int], ...]
    head: tuple[str, ...]
    rows: tuple[tuple, ...]
    totals: tuple
    notes: tuple[str, ...]
    at: datetime


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula, also after it was saved as CSV and opened again."""
    return f"'{text}" if text.startswith(RISKY) else text


def settlement(found, lines: Sequence, names: Mapping[str, str], language: str) -> Sheet:
    """`found`, `lines`: as ost.services.fees.settle gives them; `names`: {site: its name}."""
    w = Words(language)
    local = found.at.astimezone(ZoneInfo(TZ))
    missing = w.say(NOT_PUBLISHED)
    rows = tuple(
        (
            _day(w, each.day),
            w.say(ITEMS[each.kind]),
            each.subject,
            each.permit or "",
            w.say(N_("taken back")) if each.taken_back else "",
            *(missing if v is None else v for v in (each.amount_ntd, each.payer_ntd, each.own_ntd)),
        )
        for each in lines
    )
    sums = tuple(sum(v or 0 for v in values) for values in zip(*_amounts(lines), strict=True)) if lines else (0, 0, 0)
    return Sheet(
        title=w.say(N_("Settlement %(month)s"), month=found.month),
        facts=(
            (w.say(N_("Pays")), names[found.home_site]),
            (w.say(N_("Is paid")), names[found.site]),
            (w.say(N_("Month")), found.month),
            (w.say(N_("Days served")), found.doses),
            (w.say(N_("Sum, NT$")), found.amount_ntd),
            (w.say(N_("Open items")), found.open_items),
            (w.say(N_("Written")), f"{w.day(local)} {local:%H:%M}"),
            (w.say(N_("Check digest")), found.digest),
        ),
        head=tuple(
            w.say(t)
            for t in (
                N_("Day"),
                N_("Item"),
                N_("Charged for"),
                N_("Permit"),
                N_("Remark"),
                N_("Amount, NT$"),
                N_("Payer's share, NT$"),
                N_("Own share, NT$"),
            )
        ),
        rows=rows,
        totals=(w.say(N_("Total")), "", "", "", "", *sums),
        notes=(
            w.say(N_("The home site passes the payer's share on to the site that did the work.")),
            w.say(N_("Open items have no published amount; they are counted and not summed.")),
        ),
        at=found.at,
    )


def xlsx(sheet: Sheet) -> bytes:
    target = io.BytesIO()
    # Nothing in a text becomes a formula, a link or a number by itself.
    off = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    book = xlsxwriter.Workbook(target, off)
    book.set_properties({"title": safe(sheet.title), "created": sheet.at.replace(tzinfo=None)})
    page = book.add_worksheet()
    bold, title = book.add_format({"bold": True}), book.add_format({"bold": True, "font_size": 14})
    money = book.add_format({"num_format": "#,##0"})
    total = book.add_format({"bold": True, "num_format": "#,##0", "top": 1})
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.set_column(0, 0, 26)
    page.set_column(1, 1, 14)
    page.set_column(2, 3, 44)
    page.set_column(4, 7, 16)
    page.write_string(0, 0, safe(sheet.title), title)
    row = 2
    for label, value in sheet.facts:
        page.write_string(row, 0, safe(label), bold)
        _write(page, row, 1, value, money)
        row += 1
    row += 1
    for column, text in enumerate(sheet.head):
        page.write_string(row, column, safe(text), bold)
    page.repeat_rows(row)
    page.freeze_panes(row + 1, 0)
    for line in sheet.rows:
        row += 1
        for column, value in enumerate(line):
            _write(page, row, column, value, money)
    row += 1
    for column, value in enumerate(sheet.totals):
        _write(page, row, column, value, total)
    for note in sheet.notes:
        row += 1
        page.write_string(row + 1, 0, safe(note))
    book.close()
    return target.getvalue()


def _write(page, row: int, column: int, value, style) -> None:
    if isinstance(value, int):
        page.write_number(row, column, value, style)
    else:
        page.write_string(row, column, safe(value), style)


def ods(sheet: Sheet) -> bytes:
    book = OpenDocumentSpreadsheet()
    book.meta.addElement(OdsDate(text=sheet.at.isoformat()))
    bold = Style(name="bold", family="table-cell")
    bold.addElement(TextProperties(fontweight="bold"))
    wide = Style(name="wide", family="table-column")
    wide.addElement(TableColumnProperties(columnwidth="4.5cm"))
    book.automaticstyles.addElement(bold)
    book.automaticstyles.addElement(wide)
    table = Table(name="1")
    table.addElement(TableColumn(numbercolumnsrepeated=len(sheet.head), stylename=wide))

    def row(values: Sequence, style=None) -> None:
        line = TableRow()
        for value in values:
            more = {"stylename": style} if style is not None else {}
            if isinstance(value, int):
                cell, text = TableCell(valuetype="float", value=value, **more), str(value)
            else:
                cell, text = TableCell(valuetype="string", **more), safe(value)
            cell.addElement(P(text=text))
            line.addElement(cell)
        table.addElement(line)

    row([sheet.title], bold)
    row([])
    for label, value in sheet.facts:
        row([label, value])
    row([])
    row(sheet.head, bold)
    for line in sheet.rows:
        row(line)
    row(sheet.totals, bold)
    row([])
    for note in sheet.notes:
        row([note])
    book.spreadsheet.addElement(table)
    target = io.BytesIO()
    book.write(target)
    return target.getvalue()


def html(sheet: Sheet, language: str) -> str:
    """Self-contained, for the printer and for the PDF."""
    return _environment().get_template("fees/settlement_paper.html").render(s=sheet, w=Words(language))


def receipt_html(receipt, site: str, phone: str, language: str) -> str:
    """A receipt: number, site, what was paid. `receipt`: as ost.services.fees.receipts gives it."""
    w = Words(language)
    local = receipt.at.astimezone(ZoneInfo(TZ))
    back = w.say(N_("taken back"))
    lines = [
        (_day(w, c.day), w.say(ITEMS[c.kind]) + (f" · {back}" if c.reverses else ""), c.own_ntd) for c in receipt.lines
    ]
    said = {
        "receipt": w.say(N_("Receipt")),
        "from_": w.say(N_("From")),
        "number": w.say(N_("Number")),
        "paid_on": w.say(N_("Paid on")),
        "day": w.say(N_("Day")),
        "item": w.say(N_("Item")),
        "total": w.say(N_("Total")),
    }
    when = f"{w.day(local)} {local:%H:%M}"
    page = _environment().get_template("fees/receipt_paper.html")
    return page.render(r=receipt, tag=w.tag, said=said, site=site, phone=phone, lines=lines, when=when)


def _day(w: Words, day: date) -> str:
    return w.day(datetime.combine(day, datetime.min.time()))


def _amounts(lines: Sequence) -> list[tuple]:
    return [(each.amount_ntd, each.payer_ntd, each.own_ntd) for each in lines]


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["ntd"] = lambda value: f"{value:,}" if isinstance(value, int) else value
    return found
