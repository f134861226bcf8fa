"""The table and the picture of a guest request's states, drawn from `ost.rules.guest` into docs/guest-dosing.md.

`python -m tests.guest_table` rewrites them; tests/test_documents.py holds the page to the code.
"""

from __future__ import annotations

import re
from pathlib import Path

from ost.rules import guest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "guest-dosing.md"
BEGIN, END = "<!-- drawn from ost/rules/guest.py -->", "<!-- end of what is drawn -->"
_BLOCK = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def drawn() -> str:
    """A Mermaid state diagram and the table, between the two marks."""
    picture = ["```mermaid", "stateDiagram-v2"]
    for t in guest.TRANSITIONS:
        if t.from_states in (guest.OPEN, guest.IN_FORCE, (*guest.OPEN, *guest.IN_FORCE)):
            continue  # from everywhere: the table says it, the picture stays readable
        for state in t.from_states:
            to = state if t.action == "drop_day" else t.to_state
            picture.append(f"    {state or '[*]'} --> {to}: {t.action}")
    picture += [f"    {state} --> [*]" for state in guest.OVER]
    picture.append("```")
    rows = ["| action | from | to | by | meaning |", "|---|---|---|---|---|"]
    rows += [f"| `{action}` | {froms} | {to} | {by} | {meaning} |" for action, froms, to, by, meaning in guest.table()]
    return "\n".join([BEGIN, "", *picture, "", *rows, "", END])


def on_the_page() -> str:
    found = _BLOCK.search(PAGE.read_text(encoding="utf-8"))
    return found.group(0) if found else ""


if __name__ == "__main__":
    PAGE.write_text(_BLOCK.sub(lambda _: drawn(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
