"""Commands about the keys of programs."""

from typing import Annotated

import typer

from planner.cli.commands import Json

keys = typer.Typer(help="API keys.", no_args_is_help=True)

Prefix = Annotated[str, typer.Argument(help="The key's public prefix.")]
Policy = Annotated[list[str] | None, typer.Option(help="A policy a backend key may name; may be repeated.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]


def add_to(cli: typer.Typer) -> None:
    """Add this group of commands to the command line."""
    cli.add_typer(keys, name="keys")


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="Who will use it.")],
    role: Annotated[str, typer.Option(help="backend, finance or admin.")],
    policy: Policy = None,
    expires_days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days it is good for.")] = None,
    reason: Reason = "created",
    as_json: Json = False,
) -> None:
    """Create a key and show it once."""
    from planner.cli import administering

    administering.create_key(name, role, policy or [], expires_days, reason, as_json=as_json)


@keys.command("rotate")
def keys_rotate(
    prefix: Prefix,
    overlap_hours: Annotated[int, typer.Option(min=0, max=168, help="Hours the old key goes on; 0: none.")] = 0,
    reason: Reason = "rotated",
    as_json: Json = False,
) -> None:
    """Create a key in another one's place, with its name and rights, and show it once."""
    from planner.cli import administering

    administering.rotate_key(prefix, overlap_hours, reason, as_json=as_json)


@keys.command("grant")
def keys_grant(prefix: Prefix, policy: Policy = None, reason: Reason = "granted", as_json: Json = False) -> None:
    """Say which policies a backend key may name besides the default; without --policy, none."""
    from planner.cli import administering

    administering.grant_key(prefix, policy or [], reason, as_json=as_json)


@keys.command("revoke")
def keys_revoke(prefix: Prefix, reason: Reason = "revoked", as_json: Json = False) -> None:
    """Revoke a key at once, everywhere."""
    from planner.cli import administering

    administering.revoke_key(prefix, reason, as_json=as_json)


@keys.command("list")
def keys_list(as_json: Json = False) -> None:
    """List keys by prefix, role and state, with the last use; secrets are not stored."""
    from planner.cli import administering

    administering.list_keys(as_json=as_json)
