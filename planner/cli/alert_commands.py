"""Commands about alerts, the messages that carry them, and their receivers."""

from typing import Annotated

import typer

from planner.cli.commands import Json, Limit, Number, Reason
from planner.core.errors import UNSAID

alerts = typer.Typer(help="What people were told, and what could not be delivered.", no_args_is_help=True)
webhooks = typer.Typer(help="Receivers of alerts.", no_args_is_help=True)


def add_to(cli: typer.Typer) -> None:
    """Add these groups of commands to the command line."""
    cli.add_typer(alerts, name="alerts")
    cli.add_typer(webhooks, name="webhooks")


@alerts.command("list")
def alerts_list(
    kind: Annotated[str | None, typer.Option(help="Only this kind, such as price_rise.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List alerts, newest first."""
    from planner.cli import agreeing

    agreeing.list_alerts(kind, limit, as_json=as_json)


@alerts.command("messages")
def alerts_messages(
    state: Annotated[str | None, typer.Option(help="due, delivered or dead.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List messages to receivers; the dead ones wait for a person."""
    from planner.cli import agreeing

    agreeing.list_messages(state, limit, as_json=as_json)


@alerts.command("retry")
def alerts_retry(id: Number, reason: Reason = UNSAID, as_json: Json = False) -> None:
    """Make a dead message due again."""
    from planner.cli import agreeing

    agreeing.retry(id, reason, as_json=as_json)


@webhooks.command("list")
def webhooks_list(as_json: Json = False) -> None:
    """List receivers, without their secrets."""
    from planner.cli import agreeing

    agreeing.list_webhooks(as_json=as_json)


@webhooks.command("add")
def webhooks_add(
    url: Annotated[str, typer.Argument(help="https address of the receiver.")],
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind of alert; may be repeated.")] = None,
    reason: Reason = UNSAID,
    as_json: Json = False,
) -> None:
    """Register a receiver and show its signing secret once."""
    from planner.cli import agreeing

    agreeing.add_webhook(url, kind, reason, as_json=as_json)


@webhooks.command("disable")
def webhooks_disable(id: Number, reason: Reason = UNSAID, as_json: Json = False) -> None:
    """Stop telling a receiver."""
    from planner.cli import agreeing

    agreeing.disable_webhook(id, reason, as_json=as_json)


@webhooks.command("enable")
def webhooks_enable(id: Number, reason: Reason = UNSAID, as_json: Json = False) -> None:
    """Tell a disabled receiver again; planner alerts retry sends what died meanwhile."""
    from planner.cli import agreeing

    agreeing.enable_webhook(id, reason, as_json=as_json)
