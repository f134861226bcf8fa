"""A pack laid over what it extends, linted on the way. What a value means is `policy`'s to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ost.rules.policy import Policy, PolicyError, rows_of, value_of
from ost.rules.policy_lint import lint


def resolve(packs: Mapping[str, Mapping[str, Any]], name: str) -> Policy:
    """The pack `name` laid over what it extends; a key of the child replaces all rows of its parent's.

    Raises PolicyError for a pack that does not lint clean.
    """
    chain: list[str] = []
    current: str | None = name
    while current is not None:
        if current in chain:
            raise PolicyError(f"policy {name!r} extends itself: {' → '.join([*chain, current])}")
        if current not in packs:
            raise PolicyError(f"there is no policy {current!r}")
        chain.append(current)
        current = packs[current].get("extends")
    policy: Policy | None = None
    for part in reversed(chain):
        problems: Sequence[Any] = lint(packs[part], parent=policy)
        if problems:
            raise PolicyError(f"policy {part!r}: " + "; ".join(str(p) for p in problems))
        own = tuple(value_of(key, row) for key, row in rows_of(packs[part]))
        replaced = {value.key for value in own}
        kept = tuple(v for v in policy.values if v.key not in replaced) if policy else ()
        policy = Policy(name=part, values=kept + own)
    assert policy is not None
    return policy
