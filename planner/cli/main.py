"""Commands and their options; the work is imported inside each, so that ``--help`` stays quick."""

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from planner.cli import (
    alert_commands,
    budget_commands,
    commands,
    intake_commands,
    key_commands,
    ledger_commands,
    path_commands,
    people_commands,
    plan_commands,
    policy_commands,
    portfolio_commands,
    probe_commands,
    sizing_commands,
    terms_commands,
    weigh_commands,
    what_if_commands,
)
from planner.cli.commands import Json
from planner.cli.question_options import (
    At,
    CacheReadTokens,
    Capabilities,
    ContextTokens,
    FeeFixed,
    FeePercent,
    InputTokens,
    KnownAt,
    Margin,
    Models,
    Objective,
    OtherCosts,
    OutputTokens,
    Plan,
    Policy,
    ReasoningTokens,
    Requests,
    Revenue,
    Task,
    Tiers,
    drop_absent,
    question_body,
)
from planner.core.errors import NoAnswer, PlannerError, Unavailable

EXIT_NO_ANSWER = 1
EXIT_USAGE = 2
GC_OBJECTS = 50_000

cli = typer.Typer(
    name="planner",
    help="What every LLM offer costs, what it does with your data, and which one a plan may use at its margin.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
db = typer.Typer(help="The database schema.", no_args_is_help=True)
audit = typer.Typer(help="The audit trail.", no_args_is_help=True)
cli.add_typer(db, name="db")
cli.add_typer(audit, name="audit")
commands.add_to(cli)
alert_commands.add_to(cli)
budget_commands.add_to(cli)
key_commands.add_to(cli)
path_commands.add_to(cli)
people_commands.add_to(cli)
policy_commands.add_to(cli)
plan_commands.add_to(cli)
portfolio_commands.add_to(cli)
probe_commands.add_to(cli)
terms_commands.add_to(cli)
weigh_commands.add_to(cli)
sizing_commands.add_to(cli)
intake_commands.add_to(cli)
ledger_commands.add_to(cli)
what_if_commands.add_to(cli)


def main() -> None:
    """Run a command; refusals print one paragraph on stderr and exit 1 (no answer, or none now) or 2 (usage error)."""
    # Importing makes many objects and no garbage: looking for some again and again is a tenth of a short command.
    gc.set_threshold(GC_OBJECTS)
    try:
        cli()
    except PlannerError as error:
        from planner.cli.show import refusal

        refusal(error, as_json="--json" in sys.argv)
        raise SystemExit(EXIT_NO_ANSWER if isinstance(error, NoAnswer | Unavailable) else EXIT_USAGE) from None
    except BrokenPipeError:
        # Whoever read the output has read enough; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_USAGE) from None
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}: {error.filename or 'planner'}\n")
        raise SystemExit(EXIT_USAGE) from None
    finally:
        # The process ends; nothing needs to be taken apart one by one.
        gc.freeze()


@cli.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve until Ctrl-C after setting up.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Set up the embedded database, answer one worked question, and serve until Ctrl-C."""
    from planner.cli import serving

    serving.up(port, serve_after=serve_after, as_json=as_json)


@cli.command()
def serve(
    workers: Annotated[int, typer.Option(min=1, help="Server processes.")] = 1,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the API from a database that is already set up."""
    from planner.cli import serving

    serving.serve(workers, port)


@cli.command()
def worker() -> None:
    """Refresh the feeds on a timer until Ctrl-C."""
    from planner.cli import serving

    serving.worker()


@db.command("upgrade")
def db_upgrade(
    bundle: Annotated[
        bool, typer.Option("--bundle/--no-bundle", help="Load the bundled prices; without them the feeds come first.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Create or upgrade the schema and load the bundled catalogue, under a lock."""
    from planner.cli import serving

    serving.upgrade(bundle=bundle, as_json=as_json)


@db.command("check")
def db_check(as_json: Json = False) -> None:
    """Exit 0 when the schema is the one this version needs."""
    from planner.cli import serving

    serving.check_schema(as_json=as_json)


@cli.command()
def refresh(
    source: Annotated[str | None, typer.Argument(help="One source; all enabled ones by default.")] = None,
    from_file: Annotated[Path | None, typer.Option(help="Read the source from a file instead of its URL.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="List every price key that was read and not mapped.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch the feeds, publish what changed, and say what was read, priced, unpriced and refused."""
    from planner.cli import refreshing

    refreshing.refresh(source, from_file, keys=keys, as_json=as_json)


@cli.command()
def bundle(
    out: Annotated[Path, typer.Option(help="File to write, .jsonl.gz.")],
    files: Annotated[
        list[str], typer.Argument(help="SOURCE=FILE@DATE, one per recorded feed; DATE is when it was observed.")
    ],
    as_json: Json = False,
) -> None:
    """Write a bundled catalogue from recorded feeds."""
    from planner.cli import refreshing

    refreshing.bundle(out, files, as_json=as_json)


@cli.command()
def recommend(  # one option per field of the question
    plan: Plan = None,
    task: Task = None,
    input_tokens: InputTokens = None,
    cache_read_tokens: CacheReadTokens = 0,
    output_tokens: OutputTokens = None,
    reasoning_tokens: ReasoningTokens = 0,
    requests: Requests = 1,
    revenue_usd: Revenue = None,
    fee_percent: FeePercent = None,
    fee_fixed_usd: FeeFixed = None,
    other_costs_usd: OtherCosts = None,
    margin: Margin = None,
    policy: Policy = None,
    model: Models = None,
    capability: Capabilities = None,
    context_tokens: ContextTokens = None,
    tier: Tiers = None,
    objective: Objective = None,
    fallbacks: Annotated[int | None, typer.Option(min=0, max=10, help="Fallbacks wanted.")] = None,
    common_cause_share: Annotated[
        str | None, typer.Option(help="Share of failures that take the whole chain at once, such as 0.1.")
    ] = None,
    timeout_ms: Annotated[
        int | None, typer.Option(min=0, help="How long a link that fails is waited for, milliseconds.")
    ] = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Answer the main question: the cheapest compliant offer that keeps the margin."""
    from planner.cli import asking

    body = question_body(
        plan=plan, task=task, input_tokens=input_tokens, cache_read_tokens=cache_read_tokens,
        output_tokens=output_tokens, reasoning_tokens=reasoning_tokens, requests_per_period=requests,
        revenue_usd=revenue_usd, payment_fee_percent=fee_percent, payment_fee_fixed_usd=fee_fixed_usd,
        other_costs_usd=other_costs_usd, margin=margin, policy=policy, models=model, capabilities=capability,
        context_tokens=context_tokens, tiers=tier, objective=objective, fallbacks=fallbacks,
        common_cause_share=common_cause_share, timeout_ms=timeout_ms, at=at, known_at=known_at,
    )  # fmt: skip
    asking.recommend(body, as_json=as_json)


@cli.command()
def export(
    plan: Annotated[str, typer.Argument(help="A stored plan.")],
    task: Annotated[str, typer.Argument(help="A task of the plan.")],
    format: Annotated[str, typer.Option(help="The gateway: litellm or openrouter.")] = "litellm",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write: YAML, or JSON where it ends in .json.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a recommendation as configuration of the gateway that executes it."""
    from planner.cli import exporting

    exporting.export(plan, task, format, output, as_json=as_json)


@cli.command()
def cost(
    offer: Annotated[str, typer.Argument(help="Exact id of the offer, such as direct:openai/gpt-5.4.")],
    usage: Annotated[list[str], typer.Argument(help="Counts, such as input_tokens=2600 output_tokens=450.")],
    service_tier: Annotated[str, typer.Option(help="Service tier of the request.")] = "standard",
    region: Annotated[str | None, typer.Option(help="Region of the request.")] = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Price one usage on one offer, line by line, with the evidence for the price."""
    from planner.cli import asking

    context = drop_absent(service_tier=service_tier, region=region)
    asking.cost(offer, usage, context, drop_absent(at=at, known_at=known_at), as_json=as_json)


@cli.command()
def tiers(
    plan: Annotated[str | None, typer.Option(help="What each tier costs the tasks of this plan instead.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task of the plan.")] = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """List every labelled model, tier by tier, or for a plan what each tier costs and which it affords."""
    if plan is None:
        if task is not None:
            raise typer.BadParameter("a task is one of a plan; --plan is needed", param_hint="--task")
        from planner.cli import asking

        asking.tiers(at, known_at, as_json=as_json)
        return
    from planner.cli import affording

    affording.tiers(plan, task, at, known_at, as_json=as_json)


StoredPlan = Annotated[str, typer.Argument(help="A stored plan.")]
OtherMargin = Annotated[str | None, typer.Option(help="Another target margin than the plan's, such as 0.70.")]


@cli.command("price-plan")
def price_plan(
    plan: StoredPlan,
    task: Annotated[str | None, typer.Option(help="Only this task; all of them by default.")] = None,
    margin: OtherMargin = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Show the lowest price that keeps a plan's margin, what to charge beyond its quota, and what it hangs on."""
    from planner.cli import affording

    body = drop_absent(task=task, margin=margin, at=at, known_at=known_at)
    affording.price(plan, body, as_json=as_json)


@cli.command()
def trim(
    plan: StoredPlan,
    task: Annotated[str, typer.Argument(help="A task of the plan.")],
    cut: Annotated[str, typer.Option(help="What may go: input, output or both.")] = "both",
    offer: Annotated[str | None, typer.Option(help="Exact id of an offer; the task's own by default.")] = None,
    margin: OtherMargin = None,
    at: At = None,
    known_at: KnownAt = None,
    as_json: Json = False,
) -> None:
    """Show how much of its text a task must lose so that an offer fits the plan's budget."""
    from planner.cli import affording

    body = drop_absent(task=task, cut=cut, offer=offer, margin=margin, at=at, known_at=known_at)
    affording.trim(plan, body, as_json=as_json)


@cli.command()
def status(
    keys: Annotated[bool, typer.Option("--keys", help="List instead the price keys read last and not mapped.")] = False,
    as_json: Json = False,
) -> None:
    """Show the revision and the age of every source."""
    from planner.cli import refreshing

    refreshing.status(keys=keys, as_json=as_json)


@audit.command("verify")
def audit_verify(
    expect: Annotated[
        str | None, typer.Option(help="SEQ:HASH of an entry written down before; it must still be there.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Check this file of planner audit export instead; no database is needed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the hash chain of the audit trail, or of a whole export of it as jsonl."""
    from planner.cli import administering

    administering.verify_audit(expect, file, as_json=as_json)


@audit.command("export")
def audit_export(
    output: Annotated[Path, typer.Option(help="The file to write.")],
    format: Annotated[str, typer.Option(help="jsonl, which can be verified, or csv for a spreadsheet.")] = "jsonl",
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as policy.publish.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this moment on.")] = None,
    until: Annotated[str | None, typer.Option(help="Only before this moment.")] = None,
    as_json: Json = False,
) -> None:
    """Write the audit trail into a file, oldest entry first."""
    from planner.cli import administering
    from planner.cli.desk import at_of
    from planner.store.audit import Wanted

    begins = None if since is None else at_of(since, "since")
    ends = None if until is None else at_of(until, "until")
    administering.export_audit(Wanted(actor, action, subject, begins, ends), format, output, as_json=as_json)


@audit.command("list")
def audit_list(
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as policy.publish.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only what was done to this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries to print.")] = 50,
    as_json: Json = False,
) -> None:
    """Print the newest entries of the audit trail."""
    from planner.cli import administering
    from planner.store.audit import Wanted

    administering.list_audit(Wanted(actor, action, subject), limit, as_json=as_json)


@db.command("restored")
def db_restored(
    reason: Annotated[str, typer.Option(help="Why a backup was restored, for the audit trail.")], as_json: Json = False
) -> None:
    """Say that a database restored from a backup is to hold; until then workers that saw a newer one refuse it."""
    from planner.cli import administering

    administering.database_restored(reason, as_json=as_json)
