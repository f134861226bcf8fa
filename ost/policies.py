"""Reads the policy packs of config/policies. What a value means is `ost.rules.policy`'s to say."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ost.rules.policy import Policy, PolicyError
from ost.rules.policy_lint import Problem, lint
from ost.rules.policy_packs import resolve

FOLDER = Path(__file__).resolve().parent.parent / "config" / "policies"


def load_pack(path: Path) -> dict[str, Any]:
    """One pack as parsed TOML, or PolicyError with the file's name."""
    try:
        with path.open("rb") as file:
            pack = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(f"{path.name}: {error}") from error
    if pack.get("name") != path.stem:
        raise PolicyError(f"{path.name}: its name is {pack.get('name')!r}, must be {path.stem!r}")
    return pack


@cache
def packs(folder: Path = FOLDER) -> MappingProxyType[str, dict[str, Any]]:
    """Every pack of the folder by name, read once: a policy does not change under a running program."""
    return MappingProxyType({path.stem: load_pack(path) for path in sorted(folder.glob("*.toml"))})


def available(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of the packs."""
    return tuple(packs(folder))


@cache
def policy(name: str, folder: Path = FOLDER) -> Policy:
    """The resolved pack `name`; PolicyError when it does not exist or does not lint clean."""
    return resolve(packs(folder), name)


def lint_pack(name: str, folder: Path = FOLDER) -> list[Problem]:
    """The problems of one pack, against the pack it extends."""
    pack = packs(folder).get(name)
    if pack is None:
        raise PolicyError(f"there is no policy {name!r}")
    parent = pack.get("extends")
    return lint(pack, policy(parent, folder) if parent else None)
