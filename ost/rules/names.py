"""How a name is shown where others can see it."""

from __future__ import annotations


def masked(name: str) -> str:
    """A name for a screen others can see: 陳○明, 王○, L○○ M○○."""
    if not name:
        return ""
    if all(ord(c) < 0x2E80 for c in name):
        return " ".join(word[:1] + "○○" for word in name.split())
    if len(name) == 1:
        return name
    if len(name) == 2:
        return name[0] + "○"
    return name[0] + "○" * (len(name) - 2) + name[-1]
