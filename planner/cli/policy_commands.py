"""Commands about policies, who is decided under which, and changes that wait for a second person."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.commands import Json, Number, Reason

policies = typer.Typer(help="Privacy policies.", no_args_is_help=True)
proposals = typer.Typer(help="Changes that let more through and wait for a second person.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The policy's name.")]
Format = Annotated[str | None, typer.Option("--format", help="toml or csv; by default what the file's name ends in.")]


def add_to(cli: typer.Typer) -> None:
    """Add these groups of commands to the command line."""
    cli.add_typer(policies, name="policies")
    cli.add_typer(proposals, name="proposals")


@policies.command("list")
def policies_list(as_json: Json = False) -> None:
    """List policies with their version and rules."""
    from planner.cli import governing

    governing.list_policies(as_json=as_json)


@policies.command("show")
def policies_show(
    name: Name,
    versions: Annotated[bool, typer.Option("--versions", help="Every published version, newest first.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="The draft instead.")] = False,
    as_json: Json = False,
) -> None:
    """Show the rules of a policy."""
    from planner.cli import governing

    governing.show_policy(name, versions=versions, draft=draft, as_json=as_json)


@policies.command("import")
def policies_import(
    file: Annotated[Path, typer.Argument(help="TOML as `export` writes it, or CSV.")],
    reason: Reason,
    publish: Annotated[bool, typer.Option("--publish", help="Publish at once instead of saving drafts.")] = False,
    format_: Format = None,
    as_json: Json = False,
) -> None:
    """Take policies in from a file, all or none, as drafts; what says nothing new is left alone."""
    from planner.cli import governing

    governing.import_policies(file, format_, reason, publish=publish, as_json=as_json)


@policies.command("export")
def policies_export(
    out: Annotated[Path | None, typer.Option(help="File to write; by default the terminal.")] = None,
    format_: Format = None,
) -> None:
    """Write the newest version of every policy as TOML or CSV."""
    from planner.cli import governing

    governing.export_policies(out, format_)


@policies.command("publish")
def policies_publish(name: Name, reason: Reason, as_json: Json = False) -> None:
    """Publish a draft: it decides every answer that starts from now on, everywhere."""
    from planner.cli import governing

    governing.publish(name, reason, as_json=as_json)


@policies.command("discard")
def policies_discard(name: Name, reason: Reason, as_json: Json = False) -> None:
    """Throw a draft away."""
    from planner.cli import governing

    governing.discard(name, reason, as_json=as_json)


@policies.command("rollback")
def policies_rollback(
    name: Name,
    version: Annotated[int, typer.Argument(min=1, help="The version to publish anew.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Publish an older version anew, as the next one."""
    from planner.cli import governing

    governing.roll_back(name, version, reason, as_json=as_json)


@policies.command("assign")
def policies_assign(
    plan: Annotated[str, typer.Argument(help="A stored plan.")],
    reason: Reason,
    policy: Annotated[
        list[str] | None, typer.Option(help="A policy that must pass; may be repeated. None takes a task's own back.")
    ] = None,
    task: Annotated[str, typer.Option(help="One task of the plan, besides what holds for all of it.")] = "",
    as_json: Json = False,
) -> None:
    """Decide a plan, or one of its tasks, under policies; all of them must pass."""
    from planner.cli import governing

    governing.assign(plan, task, policy or [], reason, as_json=as_json)


@policies.command("plans")
def policies_plans(as_json: Json = False) -> None:
    """List plans and tasks with the policies each is decided under."""
    from planner.cli import governing

    governing.list_plans(as_json=as_json)


@proposals.command("list")
def proposals_list(
    every: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False, as_json: Json = False
) -> None:
    """List what waits for a second person."""
    from planner.cli import governing

    governing.list_proposals(every=every, as_json=as_json)


@proposals.command("approve")
def proposals_approve(id: Number, reason: Reason, as_json: Json = False) -> None:
    """Do what somebody else proposed."""
    from planner.cli import governing

    governing.decide(id, reason, approve=True, as_json=as_json)


@proposals.command("reject")
def proposals_reject(id: Number, reason: Reason, as_json: Json = False) -> None:
    """End a proposal."""
    from planner.cli import governing

    governing.decide(id, reason, approve=False, as_json=as_json)


@policies.command("preview")
def policies_preview(
    name: Name,
    file: Annotated[Path | None, typer.Option(help="TOML with the policy; by default its draft.")] = None,
    as_json: Json = False,
) -> None:
    """Show what publishing a draft, or a file, would change: offers that leave, and plans that move."""
    from planner.cli import governing

    governing.preview(name, file, as_json=as_json)


@policies.command("price")
def policies_price(
    name: Name,
    input_tokens: Annotated[int, typer.Option(min=0, help="Tokens of one prompt.")] = 3_000,
    output_tokens: Annotated[int, typer.Option(min=0, help="Tokens of one answer.")] = 1_000,
    as_json: Json = False,
) -> None:
    """Show what each rule of a policy costs, by solving the same questions without it."""
    from planner.cli import governing

    governing.price(name, input_tokens, output_tokens, as_json=as_json)
