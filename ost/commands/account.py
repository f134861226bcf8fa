"""`ost account`: the first accounts of a new house; everything later happens on the pages."""

from __future__ import annotations

import click

from ost.commands.shared import console, finish, json_option, open_house
from ost.errors import Refusal, catalogue
from ost.rules.access import ROLES, SCOPES


@click.group("account")
def command() -> None:
    """Accounts of people who work with the system."""


@command.command("add")
@click.argument("username")
@click.option("--name", required=True, help="The person's name, as colleagues see it.")
@click.option("--role", type=click.Choice(sorted(ROLES)), required=True)
@click.option("--scope-kind", type=click.Choice(SCOPES), default="site", show_default=True)
@click.option("--scope", default="*", help="Site code, county code, or * for the network.")
@json_option
def add(username: str, name: str, role: str, scope_kind: str, scope: str, as_json: bool) -> None:
    """Make an account with a drawn password, PIN and code generator, shown once."""
    from ost.services import accounts, credentials
    from ost.services.work import SYSTEM

    if scope_kind != "network" and scope == "*":
        raise click.ClickException(f"say which {scope_kind}: --scope CODE")
    password, pin = accounts.draw_password(), accounts.draw_pin()
    with open_house() as house:
        try:
            made = accounts.create_account(
                house, SYSTEM, username=username, display_name=name, password=password, pin=pin
            )
            accounts.grant_role(house, SYSTEM, made.id, role, scope_kind, scope)
        except Refusal as refusal:
            message = catalogue()[refusal.code]
            raise click.ClickException(f"{message.title}. {message.action}") from refusal
    uri = credentials.uri(made.totp, made.username)
    console.print(f"User name  {made.username}\nPassword   {password}\nPIN        {pin}\nCode       {uri}")
    console.print("Hand these over now; they are not kept anywhere and not shown again.")
    finish(
        {"account": made.id, "username": made.username, "password": password, "pin": pin, "totp": uri},
        as_json,
    )
