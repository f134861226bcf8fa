"""The same services from a terminal. Each command is a file of `ost.commands`."""

from __future__ import annotations

from importlib import import_module

import click

from ost.commands import COMMANDS


class Commands(click.Group):
    """Imports a command when it is called; only what `ost.commands` lists exists."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return import_module(f"ost.commands.{name}").command

    @property
    def commands(self) -> dict[str, click.Command]:
        """All of them, imported: for `--help` of everything and for tests."""
        return {name: self.get_command(None, name) for name in self.list_commands(None)}

    @commands.setter
    def commands(self, _given) -> None:
        """click hands in an empty dict; the list is `ost.commands.COMMANDS`."""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """OST: one network, one person, one dose a day, wherever they are."""


if __name__ == "__main__":
    main()
