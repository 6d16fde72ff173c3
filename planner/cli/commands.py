"""Commands of the admin's desk and of finance, and their options; added to the command line by `planner.cli.main`."""

from pathlib import Path
from typing import Annotated

import typer

from planner.cli.question_options import KnownAt
from planner.core.errors import UNSAID, readable
from planner.core.strict_json import INTEGER_MAX

holds = typer.Typer(help="Prices that wait for a person.", no_args_is_help=True)
aliases = typer.Typer(help="Which model a spelling means.", no_args_is_help=True)
prices = typer.Typer(help="What offers cost when, and corrections of the past.", no_args_is_help=True)
contracts = typer.Typer(help="Negotiated discounts.", no_args_is_help=True)
fees = typer.Typer(help="What channels charge on top of list prices.", no_args_is_help=True)
fx = typer.Typer(help="Exchange rates.", no_args_is_help=True)
offers = typer.Typer(help="Offers nobody lists.", no_args_is_help=True)


def _said(reason: str) -> str:
    """Refuse a reason that says nothing, or that a terminal would act on."""
    if not readable(reason):
        raise typer.BadParameter("a reason of printable characters is needed")
    return reason


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Reason = Annotated[str, typer.Option(callback=_said, help="Why; kept in the audit trail.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]


def add_to(cli: typer.Typer) -> None:
    """Add these groups of commands to the command line."""
    groups = {
        "holds": holds, "aliases": aliases, "prices": prices, "contracts": contracts, "fees": fees, "fx": fx,
        "offers": offers,
    }  # fmt: skip
    for name, group in groups.items():
        cli.add_typer(group, name=name)


@holds.command("list")
def holds_list(
    state: Annotated[str, typer.Option(help="waiting, approved, used, rejected, released, or all.")] = "waiting",
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List the prices that wait, with their reasons and what would change."""
    from planner.cli import desk

    desk.list_holds(None if state == "all" else state, source, limit, as_json=as_json)


Ids = Annotated[list[int], typer.Argument(min=1, max=INTEGER_MAX, help="Numbers of holds.")]


@holds.command("approve")
def holds_approve(ids: Ids, reason: Reason, as_json: Json = False) -> None:
    """Publish prices that wait, from the moment each was first heard; a whole feed: let its next reading through."""
    from planner.cli import desk

    desk.decide(ids, "approve", reason, as_json=as_json)


@holds.command("reject")
def holds_reject(ids: Ids, reason: Reason, as_json: Json = False) -> None:
    """Do not believe prices that wait; the same prices are not asked about again."""
    from planner.cli import desk

    desk.decide(ids, "reject", reason, as_json=as_json)


@holds.command("reopen")
def holds_reopen(ids: Ids, reason: Reason, as_json: Json = False) -> None:
    """Let rejected prices wait again."""
    from planner.cli import desk

    desk.decide(ids, "reopen", reason, as_json=as_json)


@aliases.command("pending")
def aliases_pending(
    namespace: Annotated[str | None, typer.Option(help="Only this provider or broker.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List spellings nobody has settled, with how many offers wait on each."""
    from planner.cli import desk

    desk.list_pending(namespace, limit, as_json=as_json)


@aliases.command("settle")
def aliases_settle(
    reason: Reason,
    words: Annotated[
        list[str] | None, typer.Argument(help="NAMESPACE:SPELLING=MODEL; an empty MODEL takes it back.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="CSV with the columns namespace, spelling, model.")] = None,
    new_model: Annotated[
        list[str] | None, typer.Option(help="ID=NAME of a canonical model nobody has registered yet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Settle spellings in bulk, all or none."""
    from planner.cli import desk

    desk.settle(words or [], file, new_model or [], reason, as_json=as_json)


@aliases.command("providers")
def aliases_providers(limit: Limit = 50, as_json: Json = False) -> None:
    """List words of feeds that mean no provider yet, with how many offers wait on each."""
    from planner.cli import desk

    desk.list_words(limit, as_json=as_json)


@aliases.command("settle-providers")
def aliases_settle_providers(
    words: Annotated[list[str], typer.Argument(help="FEED:WORD=PROVIDER.")],
    reason: Reason,
    new_provider: Annotated[
        list[str] | None, typer.Option(help="ID=NAME of a provider nobody has registered yet.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which providers words of feeds mean, all or none."""
    from planner.cli import desk

    desk.settle_words(words, new_provider or [], reason, as_json=as_json)


Offer = Annotated[str, typer.Argument(help="Exact id of the offer, such as direct:openai/gpt-5.4.")]


@prices.command("history")
def prices_history(offer: Offer, known_at: KnownAt = None, as_json: Json = False) -> None:
    """List what an offer cost when."""
    from planner.cli import desk

    desk.prices(offer, known_at, as_json=as_json)


@prices.command("changes")
def prices_changes(
    since: Annotated[str, typer.Option(help="Moment, RFC 3339 with offset.")],
    recorded: Annotated[bool, typer.Option(help="Count by when a change was recorded, so corrections show.")] = False,
    known_at: KnownAt = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List the prices that came into force since a moment, newest first."""
    from planner.cli import desk

    desk.changes(since, known_at, limit, by_record=recorded, as_json=as_json)


@prices.command("correct")
def prices_correct(
    offer: Offer,
    begins: Annotated[str, typer.Option("--from", help="From when, RFC 3339 with offset.")],
    ends: Annotated[str, typer.Option("--to", help="To when, not after now.")],
    rates: Annotated[Path, typer.Option(help="TOML or JSON file with the list `rates` of {unit, usd, per}.")],
    source_url: Annotated[str, typer.Option(help="Where the true price stands.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Correct a past price; what was believed until now stays on record."""
    from planner.cli import desk

    desk.correct_price(offer, begins, ends, rates, source_url, reason, as_json=as_json)


@contracts.command("list")
def contracts_list(as_json: Json = False) -> None:
    """List negotiated discounts and commitments."""
    from planner.cli import agreeing

    agreeing.list_contracts(as_json=as_json)


@contracts.command("add")
def contracts_add(
    name: Annotated[str, typer.Option(help="What you call it.")],
    provider: Annotated[str, typer.Option(help="Provider it is with.")],
    discount_percent: Annotated[str, typer.Option(help="Percent off list price, such as 12.5.")],
    valid_from: Annotated[str, typer.Option(help="From when, RFC 3339 with offset.")],
    reference: Annotated[str, typer.Option(help="Where the signed paper is.")],
    reason: Reason,
    channel: Annotated[str, typer.Option(help="Channel it holds through.")] = "direct",
    model: Annotated[str | None, typer.Option(help="Canonical model; all of the provider's by default.")] = None,
    valid_to: Annotated[str | None, typer.Option(help="Until when.")] = None,
    commitment_usd: Annotated[str | None, typer.Option(help="What was promised in return, USD per period.")] = None,
    commitment_period: Annotated[str | None, typer.Option(help="month, quarter or year.")] = None,
    as_json: Json = False,
) -> None:
    """Record a negotiated discount; effective costs take it off the list price."""
    from planner.cli import agreeing

    options = {
        "name": name, "channel_id": channel, "provider_id": provider, "model_id": model,
        "discount_percent": discount_percent, "commitment_usd": commitment_usd,
        "commitment_period": commitment_period, "valid_from": valid_from, "valid_to": valid_to, "reference": reference,
    }  # fmt: skip
    agreeing.add_contract(options, reason, as_json=as_json)


Number = Annotated[int, typer.Argument(min=1, max=INTEGER_MAX, help="Its number.")]


Ends = Annotated[str | None, typer.Option("--to", help="When it ends, RFC 3339 with offset; now by default.")]


@contracts.command("end")
def contracts_end(id: Number, reason: Reason, to: Ends = None, as_json: Json = False) -> None:
    """Let a contract end; until then its discount goes on being granted."""
    from planner.cli import agreeing

    agreeing.end("contract", id, to, reason, as_json=as_json)


@contracts.command("void")
def contracts_void(id: Number, reason: Reason, as_json: Json = False) -> None:
    """Take a contract off the record as if it had never been."""
    from planner.cli import agreeing

    agreeing.void("contract", id, reason, as_json=as_json)


@fees.command("list")
def fees_list(as_json: Json = False) -> None:
    """List channel fees and which of them count."""
    from planner.cli import agreeing

    agreeing.list_fees(as_json=as_json)


@fees.command("add")
def fees_add(
    channel: Annotated[str, typer.Option(help="Channel that charges it, such as openrouter.")],
    percent: Annotated[str, typer.Option(help="Percent of list price, such as 5.5.")],
    basis: Annotated[str, typer.Option(help="added_to_top_up, markup or of_list_price.")],
    valid_from: Annotated[str, typer.Option(help="From when, RFC 3339 with offset.")],
    source_url: Annotated[str, typer.Option(help="Where it stands.")],
    reason: Reason,
    payment: Annotated[str, typer.Option(help="Way of paying it belongs to: credit or own_key.")] = "credit",
    valid_to: Annotated[str | None, typer.Option(help="Until when.")] = None,
    allowance_usd_per_month: Annotated[
        str | None, typer.Option(help="Usage at list price a month that is free of it, USD.")
    ] = None,
    minimum_usd: Annotated[str | None, typer.Option(help="At least so much per purchase, USD.")] = None,
    as_json: Json = False,
) -> None:
    """Record a channel's fee from a day on; the one it follows ends then."""
    from planner.cli import agreeing

    options = {
        "channel": channel, "percent": percent, "basis": basis, "payment": payment, "valid_from": valid_from,
        "valid_to": valid_to, "allowance_usd_per_month": allowance_usd_per_month, "minimum_usd": minimum_usd,
        "source_url": source_url, "reason": reason,
    }  # fmt: skip
    agreeing.add_fee(options, as_json=as_json)


@fees.command("end")
def fees_end(id: Number, reason: Reason, to: Ends = None, as_json: Json = False) -> None:
    """Let a fee end; until then it goes on being charged."""
    from planner.cli import agreeing

    agreeing.end("fee", id, to, reason, as_json=as_json)


@fees.command("void")
def fees_void(id: Number, reason: Reason, as_json: Json = False) -> None:
    """Take a fee off the record as if it had never been."""
    from planner.cli import agreeing

    agreeing.void("fee", id, reason, as_json=as_json)


@fees.command("pay")
def fees_pay(
    channel: Annotated[str, typer.Argument(help="Channel, such as openrouter.")],
    payment: Annotated[str, typer.Argument(help="credit or own_key.")],
    list_usd_per_month: Annotated[str | None, typer.Option(help="Usage at list price expected a month, USD.")] = None,
    begins: Annotated[str | None, typer.Option("--from", help="From when; now by default.")] = None,
    reason: Reason = UNSAID,
    as_json: Json = False,
) -> None:
    """Say how a channel is paid here from a day on."""
    from planner.cli import agreeing

    agreeing.pay(channel, payment, list_usd_per_month, begins, reason, as_json=as_json)


@fx.command("list")
def fx_list(
    currency: Annotated[str | None, typer.Option(help="Only this currency, such as EUR.")] = None,
    as_json: Json = False,
) -> None:
    """List exchange rates, newest first."""
    from planner.cli import agreeing

    agreeing.list_fx(currency, as_json=as_json)


@fx.command("set")
def fx_set(
    currency: Annotated[str, typer.Argument(help="Three letters, such as EUR.")],
    day: Annotated[str, typer.Argument(help="Day, such as 2026-11-23.")],
    usd: Annotated[str, typer.Argument(help="USD for one unit, such as 1.0923.")],
    source: Annotated[str, typer.Option(help="Whose rate it is.")],
    source_url: Annotated[str, typer.Option(help="Where it stands.")],
    as_json: Json = False,
) -> None:
    """Record the exchange rate of a day."""
    from planner.cli import agreeing

    agreeing.set_fx(currency, day, usd, source, source_url, as_json=as_json)


@offers.command("set")
def offers_set(
    file: Annotated[Path, typer.Argument(help="TOML in the form of POST /v1/offers.")], as_json: Json = False
) -> None:
    """Enter a model you run yourself, or a price only you get; rates = "withdrawn" ends it, now or at valid_from."""
    from planner.cli import agreeing

    agreeing.set_offer(file, as_json=as_json)
