"""Commands about the people who may sign in."""

from typing import Annotated

import typer

from planner.cli.commands import Json

people = typer.Typer(help="People who sign in to the console.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="Who it is about; with OpenID, the person's address.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")]


def add_to(cli: typer.Typer) -> None:
    """Add this group of commands to the command line."""
    cli.add_typer(people, name="people")


@people.command("list")
def people_list(as_json: Json = False) -> None:
    """List everybody with role and state; passwords are not stored."""
    from planner.cli import peopling

    peopling.list_people(as_json=as_json)


@people.command("add")
def people_add(
    login: Login,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="backend, finance or admin.")],
    reason: Reason = "registered",
    password_stdin: FromInput = False,
    as_json: Json = False,
) -> None:
    """Register somebody; without a password they sign in by OpenID."""
    from planner.cli import peopling

    peopling.add(login, name, role, reason, with_password=password_stdin, as_json=as_json)


@people.command("disable")
def people_disable(login: Login, reason: Reason, as_json: Json = False) -> None:
    """Let somebody sign in no more, and end where they are signed in."""
    from planner.cli import peopling

    peopling.disable(login, reason, as_json=as_json)


@people.command("enable")
def people_enable(login: Login, reason: Reason, as_json: Json = False) -> None:
    """Let a disabled person sign in again."""
    from planner.cli import peopling

    peopling.enable(login, reason, as_json=as_json)


@people.command("role")
def people_role(
    login: Login,
    role: Annotated[str, typer.Argument(help="backend, finance or admin.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Give somebody another role; they sign in anew."""
    from planner.cli import peopling

    peopling.set_role(login, role, reason, as_json=as_json)


@people.command("password")
def people_password(login: Login, reason: Reason, password_stdin: FromInput = False, as_json: Json = False) -> None:
    """Give somebody another password, asked for twice; they sign in anew."""
    from planner.cli import peopling

    peopling.set_password(login, reason, from_input=password_stdin, as_json=as_json)
