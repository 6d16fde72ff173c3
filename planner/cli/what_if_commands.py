"""The command that asks what real usage would have cost otherwise, or why it cost otherwise than before."""

from pathlib import Path
from typing import Annotated, Any

import typer

from planner.cli.commands import Json
from planner.cli.ledger_commands import From, To, Zone
from planner.cli.question_options import drop_absent


def add_to(cli: typer.Typer) -> None:
    """Add this command to the command line."""
    cli.command("what-if")(what_if)


_Heads = list[str] | None
_Text = str | None


def what_if(  # one option per part of the question
    since: From,
    until: To,
    tz: Zone = "UTC",
    where: Annotated[_Heads, typer.Option(help="Only usage of HEAD=VALUE, such as plan=pro; may be repeated.")] = None,
    by: Annotated[str, typer.Option(help="Rows beside the total, by heads such as plan,model.")] = "",
    scenario: Annotated[Path | None, typer.Option(help="JSON with a scenario as POST /v1/what-if takes it.")] = None,
    volume: Annotated[_Text, typer.Option(help="How many times as many requests.")] = None,
    offer: Annotated[_Text, typer.Option(help="The offer that serves the rows of --of.")] = None,
    of: Annotated[
        _Heads, typer.Option(help="HEAD=VALUE of rows for --offer, factors and cache; all by default.")
    ] = None,
    input_token_factor: Annotated[_Text, typer.Option(help="Prompt tokens of text, times what was counted.")] = None,
    output_token_factor: Annotated[_Text, typer.Option(help="Answer tokens of text, times what was counted.")] = None,
    reasoning_multiplier: Annotated[_Text, typer.Option(help="Whole output over visible output.")] = None,
    cache_hit_share: Annotated[_Text, typer.Option(help="Share of prompt text read from a cache, 0 to 1.")] = None,
    cache_write_share: Annotated[_Text, typer.Option(help="Share of prompt text written to one, 0 to 1.")] = None,
    prices_at: Annotated[_Text, typer.Option(help="The price list of another moment, RFC 3339 with offset.")] = None,
    price_percent: Annotated[_Text, typer.Option(help="List prices so many percent higher, such as -10.")] = None,
    unit: Annotated[_Heads, typer.Option(help="Only prices of this unit, such as output_token.")] = None,
    discount_percent: Annotated[_Text, typer.Option(help="What is taken off the list price, percent.")] = None,
    offers: Annotated[
        _Heads, typer.Option(help="HEAD=VALUE of offers for prices and discount, such as provider=openai.")
    ] = None,
    fee: Annotated[_Heads, typer.Option(help="CHANNEL=PERCENT that a channel takes on top.")] = None,
    plan_price: Annotated[_Heads, typer.Option(help="PLAN=PRICE in the plan's currency.")] = None,
    subscribers: Annotated[_Heads, typer.Option(help="PLAN=NUMBER of subscribers.")] = None,
    fx: Annotated[_Text, typer.Option(help="CURRENCY=USD that one unit of it is worth.")] = None,
    reporting_currency: Annotated[str, typer.Option(help="Amounts in this currency beside dollars.")] = "USD",
    shapley: Annotated[bool, typer.Option("--shapley", help="Average each term over all orders.")] = False,
    compare_from: Annotated[_Text, typer.Option(help="Instead: the first day of the period before.")] = None,
    compare_to: Annotated[_Text, typer.Option(help="The day after its last one.")] = None,
    as_json: Json = False,
) -> None:
    """Replay real usage under other prices, offers, counts, caches, discounts, fees or plans, term by term."""
    from planner.cli import supposing

    body = drop_absent(**{"from": since, "to": until}, tz=tz, where=supposing.lists(where, "where"))
    body |= {"by": [name for name in by.split(",") if name], "reporting_currency": reporting_currency}
    body |= {"method": "shapley"} if shapley else {}
    factors = drop_absent(
        input_token_factor=input_token_factor, output_token_factor=output_token_factor,
        reasoning_multiplier=reasoning_multiplier,
    )  # fmt: skip
    rows, which = supposing.pairs(of, "of"), supposing.pairs(offers, "offers")
    cached = cache_hit_share is not None or cache_write_share is not None
    # What narrows nothing that is said would be taken for a narrower question than the one that is answered.
    supposing.narrows(of, "of", "offer, factors and cache", said=offer is not None or bool(factors) or cached)
    supposing.narrows(offers, "offers", "prices and discount", said=(price_percent, discount_percent) != (None, None))
    supposing.narrows(unit, "unit", "prices", said=price_percent is not None)
    said: dict[str, Any] = drop_absent(volume=volume, prices_at=prices_at)
    if offer is not None:
        said["swaps"] = [{"where": rows, "to": offer, **factors}]
    elif factors:
        said["token_intensity"] = [{"where": rows, **factors}]
    if cached:
        shares = drop_absent(hit_share=cache_hit_share or "0", write_share=cache_write_share)
        said["cache"] = [{"where": rows, **shares}]
    if price_percent is not None:
        said["prices"] = [{"where": which, "percent": price_percent, "units": unit or []}]
    if discount_percent is not None:
        said["discounts"] = [{"where": which, "percent": discount_percent}]
    if fee:
        said["fees"] = [{"channel": name, "percent": text} for name, text in supposing.each(fee, "fee")]
    said |= supposing.plans(plan_price, subscribers)
    if fx is not None:
        ((currency, usd),) = supposing.each([fx], "fx")
        said["fx"] = {"currency": currency, "usd_per_unit": usd}
    supposing.what_if(body, said, scenario, (compare_from, compare_to), as_json=as_json)
